# What has been: samples without listening.

#' Collect samples into a data frame
#'
#' Listens as [radio_listen()] does, until `n` samples have come or `timeout` seconds are over; what has come is returned in either case.
#'
#' @inheritParams radio_listen
#' @param ... As for [radio_listen()], `after`, `last` and `channel_key` as well.
#' @return A data frame with a row for each sample: columns `position` and `lost` (and `channel`, if several were named), and one for
#'   each name in the data, `NA` where a sample has none. Columns of what is no single number, text or boolean are lists. Data without
#'   names are a column `data`; names that are taken get `data.` before them. Attribute `position`: where to go on.
#' @examples
#' \dontrun{
#' wind <- radio_collect(radio("http://127.0.0.1:8080"), "weather.harbour", 100, timeout = 60)
#' plot(wind$wind, type = "l")
#' }
#' @export
radio_collect <- function(radio, channel, n, timeout = Inf, ...) {
  if (missing(n) && is.infinite(timeout)) stop("n, or timeout, must say when it is enough", call. = FALSE)
  samples <- list()
  count <- 0L
  keep <- function(sample) {
    count <<- count + 1L
    # A list that grows one by one would be copied each time.
    if (count > length(samples)) length(samples) <<- max(16L, 2L * count)
    samples[[count]] <<- sample
    NULL
  }
  position <- radio_listen(radio, channel, keep, n = if (missing(n)) Inf else n, timeout = timeout, ...)
  frame <- as_frame(samples[seq_len(count)], length(channel) > 1L)
  attr(frame, "position") <- position
  frame
}

as_frame <- function(samples, is_several) {
  position <- vapply(samples, function(sample) if (is.null(sample$position)) NA_character_ else sample$position, "")
  frame <- data.frame(position = position, lost = vapply(samples, function(sample) as.numeric(sample$lost), 0))
  if (is_several) frame$channel <- vapply(samples, function(sample) sample$channel, "")
  data <- lapply(samples, function(sample) {
    if (is.list(sample$data) && !is.null(names(sample$data))) sample$data else list(data = sample$data)
  })
  for (name in unique(unlist(lapply(data, names)))) {
    column <- lapply(data, function(one) one[[name]])
    frame[[if (name %in% names(frame)) paste0("data.", name) else name]] <- as_column(column)
  }
  frame
}

as_column <- function(values) {
  is_there <- lengths(values) > 0L
  kinds <- unique(vapply(values[is_there], typeof, ""))
  is_plain <- all(lengths(values) <= 1L) && length(kinds) &&
    (all(kinds %in% c("integer", "double")) || (length(kinds) == 1L && kinds %in% c("character", "logical")))
  if (!is_plain) return(I(values))
  values[!is_there] <- NA
  unlist(values, use.names = FALSE)
}

#' The newest sample of a channel
#'
#' @inheritParams radio_listen
#' @return A sample, as [radio_listen()] has them; `NULL` if the channel keeps none.
#' @export
radio_latest <- function(radio, channel, channel_key = NULL) {
  it <- new_listening(radio, one_text(channel, "channel"), list(), channel_key)
  found <- page_of(it, list(wait = 0, last = 1))
  if (length(found$samples)) found$samples[[length(found$samples)]]
}

#' What a channel has kept
#'
#' @inheritParams radio_listen
#' @param after A position: begin behind it. `NULL`: with the oldest that is kept.
#' @param limit Most samples.
#' @return A list of samples, as [radio_listen()] has them, oldest first. Attribute `position`: where the next page begins, or listening
#'   goes on. A channel that keeps no history is a `radiod_refused`.
#' @export
radio_history <- function(radio, channel, after = NULL, limit = 100, channel_key = NULL) {
  it <- new_listening(radio, one_text(channel, "channel"), list(), channel_key)
  limit <- whole(limit, "limit", 1)
  is_all <- is.null(after)
  it$position <- if (is_all) beginning(it) else one_text(after, "after")
  samples <- list()
  while (length(samples) < limit) {
    was <- it$position
    found <- page_of(it, list(wait = 0, after = was), is_all && !length(samples))
    it$position <- found$position
    few <- found$samples[seq_len(min(length(found$samples), limit - length(samples)))]
    if (length(few) < length(found$samples)) it$position <- few[[length(few)]]$position
    samples <- c(samples, few)
    if (identical(was, it$position)) break
  }
  structure(samples, position = it$position)
}

# Before a channel's first event.
beginning <- function(it) {
  position <- page_of(it, list(wait = 0))$position
  if (is.null(position)) stop_refused(204L, "the channel keeps no history")
  sub(":.*", ":0", position)
}

# One page. `is_beginning`: what is not kept any more before its first sample is not missed.
page_of <- function(it, query, is_beginning = FALSE) {
  answer <- tryCatch(
    fetch(it$radio, it$path, query, it$key),
    radiod_broken = function(e) stop_radiod("disconnected", paste0(it$radio$url, ": ", conditionMessage(e)))
  )
  if (!answer$status %in% c(200L, 204L)) {
    tryCatch(
      refuse(answer$status, answer$headers, answer$content),
      radiod_broken = function(e) stop_refused(answer$status, conditionMessage(e), retry_after = e$retry)
    )
  }
  records <- if (answer$status == 200L) from_json(answer$content) else list()
  is_recovered <- is_beginning || is.null(answer$headers[["x-radiod-recovered"]])
  samples <- list()
  it$left <- Inf
  it$callback <- function(sample) {
    samples[[length(samples) + 1L]] <<- sample
    NULL
  }
  it$deadline <- Inf
  take_page(it, records, is_recovered, as.numeric(c(answer$headers[["x-radiod-lost"]], 0)[[1L]]))
  told <- answer$headers[["x-radiod-position"]]
  list(samples = samples, position = if (is.null(told)) it$position else told)
}
