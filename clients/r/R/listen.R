# Listening: polls while there is something to catch up with, a stream of lines for what happens now, and coming back.

buffer_settings <- c("size", "policy", "every", "min_interval", "latest", "weight", "max_bytes")

# Settings with which numbers leave events out that are not lost.
thinning <- c("every", "min_interval", "latest")

#' Listen
#'
#' Calls a function with each sample, in order, until it returns `FALSE`, or `n` samples have come, or `timeout` seconds are over. When
#' the connection breaks, or the server restarts, it comes back by itself and goes on behind the last sample.
#'
#' A channel that keeps a history loses nothing over that, nor before its first sample, as far as the history reaches. Who is slower than
#' the channel falls behind, and catches up out of the history. Without a history, what comes meanwhile is lost: `lost` of the next
#' sample says so.
#'
#' A server that is not there at the beginning is an error (`radiod_disconnected`) at once. Later it is tried for ever, until `timeout`: first
#' after 0.2 s at most, then more and more rarely, up to 15 s, or when the server said. An error of `callback` ends it, and so does an interrupt (Ctrl-C);
#' keep `sample$position` if you want to go on later.
#'
#' @param radio What [radio()] made.
#' @param channel The channel's name; or several, whose samples come in one stream.
#' @param callback A function of one argument, a sample: a list of
#'   * `data`: arrays of numbers, texts or booleans are vectors, objects named lists, numerical arrays arrays (see [radio_decode_array()]);
#'   * `position`: a text to go on behind this sample, for `after`; `NULL` where the channel has no history;
#'   * `lost`: how many samples are missing right before this one; `NA`: some, perhaps, and nobody knows how many;
#'   * `channel`, only if several were named.
#' @param n Most samples.
#' @param timeout Most seconds.
#' @param after A position: begin behind it. `NULL`: with the next sample.
#' @param last Begin with so many of the last samples, up to 1000. Not with `after`.
#' @param ... Settings of the server's buffer for this listener: `size`, `policy`, `every`, `min_interval` (seconds), `latest`, `weight`,
#'   `max_bytes`. With any of them it does not fall behind: the buffer drops, and tells.
#' @param channel_key The key of a private channel.
#' @return The position to go on behind, invisibly; `NULL` where there is none.
#' @examples
#' \dontrun{
#' station <- radio("http://127.0.0.1:8080")
#' position <- radio_listen(station, "weather.harbour", function(sample) print(sample$data), n = 10)
#' radio_listen(station, "weather.harbour", function(sample) print(sample$data), after = position)
#' }
#' @export
radio_listen <- function(radio, channel, callback, n = Inf, timeout = Inf, after = NULL, last = 0, ..., channel_key = NULL) {
  callback <- match.fun(callback)
  it <- new_listening(radio, channel, list(...), channel_key)
  it$callback <- callback
  it$left <- whole(n, "n")
  it$deadline <- now() + seconds(timeout, "timeout")
  begin_at(it, after, whole(last, "last", 0, 1000))
  if (it$left == 0) it$is_over <- TRUE
  while (!is_over(it)) attempt(it)
  warn_if_down(it)
  invisible(it$position)
}

# Everything that a listening knows. `phase`: "begin", it does not know yet where the channel is; "behind", it polls; "live", it
# has a stream. `position`: where to go on. `pending`: losses that the next sample has to tell.
new_listening <- function(radio, channel, settings, channel_key) {
  check_radio(radio)
  if (!is.character(channel) || !length(channel) || anyNA(channel) || !all(nzchar(channel)) || length(channel) > 50L) {
    stop("channel must be a name, or up to 50 names", call. = FALSE)
  }
  unknown <- setdiff(names(settings), buffer_settings)
  if (length(unknown) || length(settings) != length(names(settings)) || !all(lengths(settings) == 1L)) {
    stop("unknown: ", paste(c(unknown, "arguments behind `last` are settings of the buffer, by name")[1L], collapse = ""), call. = FALSE)
  }
  it <- new.env(parent = emptyenv())
  it$radio <- radio
  it$is_several <- length(channel) > 1L
  it$path <- if (it$is_several) several_path(channel) else listen_path(channel)
  it$settings <- settings
  it$is_thinned <- any(thinning %in% names(settings))
  it$key <- if (is.null(channel_key)) character() else c("Channel-Key" = one_text(channel_key, "channel_key"))
  it$phase <- "begin"
  it$position <- NULL
  it$places <- new.env(parent = emptyenv())
  it$last <- NULL
  it$pending <- 0
  it$tries <- 0
  it$retry <- NULL
  it$down <- NULL
  it$has_been_live <- FALSE
  it$goes_back <- !length(settings)
  it$is_over <- it$is_delivering <- FALSE
  it
}

several_path <- function(channels) {
  paste0("/listen?", paste0("channel=", curl::curl_escape(enc2utf8(channels)), collapse = "&"))
}

begin_at <- function(it, after, last) {
  if (!is.null(after) && last > 0) stop("after and last exclude each other", call. = FALSE)
  if (!is.null(after)) {
    it$position <- one_text(after, "after")
    it$phase <- "behind"
  }
  if (last > 0) it$last <- last
  # What several channels have come to is told by streams alone.
  if (it$is_several) it$phase <- "live"
}

is_over <- function(it) it$is_over || (is.finite(it$deadline) && now() >= it$deadline)

# One connection, or one poll; behind one that broke, a pause.
attempt <- function(it) {
  broken <- tryCatch(
    {
      if (it$phase == "live") stream(it) else poll(it)
      NULL
    },
    radiod_broken = identity
  )
  if (is.null(broken)) return(connected(it))
  reason <- conditionMessage(broken)
  if (!it$radio$is_known) stop_radiod("disconnected", paste0(it$radio$url, ": ", reason))
  if (it$has_been_live) {
    # Without a position nobody can tell what comes meanwhile.
    if (is.null(it$position)) it$pending <- NA_real_
    if (!it$is_several) it$phase <- if (is.null(it$position)) "live" else "behind"
  }
  it$down <- reason
  rest(it, broken$retry)
}

connected <- function(it) {
  it$tries <- 0
  it$down <- NULL
}

# Full jitter, below a bound that doubles; or what the server said.
rest <- function(it, retry) {
  pause <- if (is.null(retry)) some_part() * min(15, 0.2 * 2^it$tries) else retry
  it$tries <- min(it$tries + 1, 10)
  Sys.sleep(max(0, min(pause, it$deadline - now())))
}

warn_if_down <- function(it) {
  if (!is.null(it$down) && !it$is_over) {
    warning(radiod_condition("disconnected", "warning", paste0("no server when the time was over: ", it$down), position = it$position))
  }
}

# A poll: what is behind the position. Goes live when that is little, or nothing.
poll <- function(it) {
  is_beginning <- it$phase == "begin"
  query <- list(wait = 0, after = it$position, last = if (is_beginning) it$last)
  answer <- fetch(it$radio, it$path, query, it$key)
  if (!answer$status %in% c(200L, 204L)) refuse(answer$status, answer$headers, answer$content)
  connected(it)
  told <- answer$headers[["x-radiod-position"]]
  records <- if (answer$status == 200L) from_json(answer$content) else list()
  was <- it$position
  # What `last` asks for begins somewhere on purpose.
  is_recovered <- is_beginning || is.null(answer$headers[["x-radiod-recovered"]])
  lost <- as.numeric(c(answer$headers[["x-radiod-lost"]], 0)[[1L]])
  is_done <- take_page(it, records, is_recovered, lost)
  if (!is_done) return()
  if (!is.null(told)) it$position <- told
  # An empty page that has moved on was full of events for others.
  is_behind <- !is_beginning && (length(records) >= 100L || (!length(records) && !identical(was, it$position)))
  it$phase <- if (is_behind) "behind" else "live"
  if (is_beginning) it$last <- NULL
}

# Deliver a page. `lost`: all that is lost in it, or behind it. Returns: whether that was not cut short.
take_page <- function(it, records, is_recovered, lost) {
  for (record in records) {
    own <- if (is.null(record[["lost"]])) 0 else record[["lost"]]
    lost <- lost - own
    deliver(it, record, missed(it, record[["position"]], own, is_recovered))
    is_recovered <- TRUE
    if (is_over(it)) return(FALSE)
  }
  it$pending <- it$pending + if (length(records) || is_recovered || lost > 0) max(0, lost) else NA_real_
  TRUE
}

# How many are missing before a record. The server says that a position is gone, and the numbers how many that were, if they did
# not begin anew and none was left out: on purpose, or by several nodes that share a count, whose epoch begins with "x".
missed <- function(it, position, lost, is_recovered, was = it$position) {
  if (is_recovered) return(lost)
  if (it$is_thinned || is.null(position) || is.null(was)) return(NA_real_)
  here <- strsplit(position, ":", fixed = TRUE)[[1L]]
  there <- strsplit(was, ":", fixed = TRUE)[[1L]]
  if (here[[1L]] != there[[1L]] || startsWith(here[[1L]], "x")) return(NA_real_)
  max(lost, as.numeric(here[[2L]]) - as.numeric(there[[2L]]) - 1)
}

deliver <- function(it, record, lost) {
  sample <- list(data = simple(record[["data"]]), position = record[["position"]], lost = it$pending + lost)
  if (it$is_several) {
    sample["position"] <- list(record[["id"]])
    sample$channel <- record[["channel"]]
  }
  it$is_delivering <- TRUE
  answer <- it$callback(sample)
  it$is_delivering <- FALSE
  if (!is.null(sample$position)) it$position <- sample$position
  it$pending <- 0
  it$left <- it$left - 1
  if (it$left <= 0 || identical(answer, FALSE)) it$is_over <- TRUE
}
