# The stream of lines that a listening reads while it is live.

# Most bytes of one line.
max_line <- 2^28

# Read until it is over, or the listening goes back to polls. Signals: radiod_broken; radiod_refused.
stream <- function(it) {
  radio <- it$radio
  watch <- new_watch(it)
  # "identity": what is compressed is collected.
  headers <- c(it$key, Accept = "application/x-ndjson", "Accept-Encoding" = "identity")
  handle <- new_handle(radio, headers, stream_options(it, watch))
  reader <- new_reader(it, handle)
  url <- stream_address(it)
  open_before <- getAllConnections()
  # What cannot be opened, or is interrupted meanwhile, would be left to the collector.
  on.exit(close_others(open_before, url))
  outcome <- callCC(function(leave) {
    take <- function(piece) if (reader$take(piece)) leave("over")
    withCallingHandlers(
      curl::curl_fetch_stream(url, take, handle),
      # What the callback raises is its caller's.
      error = function(e) if (!it$is_delivering) leave(e)
    )
    "ended"
  })
  if (identical(outcome, "over") || is_over(it)) return()
  if (inherits(outcome, "radiod_error")) stop(outcome)
  if (inherits(outcome, "error")) broke(it, watch, outcome)
  reader$finish()
  retry <- it$retry
  it$retry <- NULL
  stop_broken("the server ended the stream", retry)
}

close_others <- function(before, url) {
  for (number in setdiff(getAllConnections(), before)) {
    connection <- getConnection(number)
    if (identical(summary(connection)$description, url)) close(connection)
  }
}

stream_options <- function(it, watch) {
  options <- list(noprogress = FALSE, progressfunction = watch$progress)
  left <- it$deadline - now()
  # Nobody calls for progress more than once a second.
  if (left < 86400) options$timeout_ms <- max(1, ceiling(left * 1000))
  options
}

stream_address <- function(it) {
  query <- c(list(after = it$position), it$settings, list(last = it$last))
  if (!it$is_several) return(address(it$radio, it$path, query))
  more <- sub("^\\?", "&", sub("^[^?]*", "", address(it$radio, "", query)))
  paste0(it$radio$url, it$path, more)
}

# libcurl's error, or ours by way of its progress function.
broke <- function(it, watch, error) {
  why <- watch$why()
  if (!is.null(why)) stop_broken(why)
  reason <- conditionMessage(error)
  if (grepl("Callback aborted", reason, fixed = TRUE)) {
    # An interrupt came while the progress function ran, and libcurl took it for a no.
    stop(structure(class = c("interrupt", "condition"), list(message = "interrupted", call = NULL)))
  }
  stop_broken(reason)
}

# Looks at a stream at least once a second: has anything come, is its time over?
new_watch <- function(it) {
  heard <- looked <- now()
  bytes <- -1
  why <- NULL
  progress <- function(down, up) {
    at <- now()
    # A machine that slept, or a callback that took its time: what waits is read first.
    if (at - looked > 5) heard <<- max(heard, at - it$radio$silence + 5)
    looked <<- at
    if (down[[2L]] != bytes) {
      bytes <<- down[[2L]]
      heard <<- at
    }
    if (at - heard > it$radio$silence) why <<- sprintf("no sign of life for %.0f s", it$radio$silence)
    is.null(why) && at < it$deadline
  }
  list(progress = progress, why = function() why)
}

# Puts pieces together to lines. `take(piece)`: whether that is enough; `finish()`: what the end means.
new_reader <- function(it, handle) {
  status <- 0L
  pieces <- list()
  size <- 0
  begin <- function() {
    told <- curl::handle_data(handle)
    status <<- told$status_code
    it$radio$is_known <- TRUE
    if (status != 200L) return()
    begun(it, fields(told$headers)[["x-radiod-position"]])
  }
  keep <- function(piece) {
    size <<- size + length(piece)
    if (size > max_line) stop_broken("a line is too long")
    pieces[[length(pieces) + 1L]] <<- piece
  }
  take <- function(piece) {
    if (status == 0L) begin()
    if (status != 200L) {
      if (size < max_refusal) keep(piece)
      return(FALSE)
    }
    end <- last_line_end(piece)
    if (end == 0L) {
      keep(piece)
      return(FALSE)
    }
    whole <- if (end == length(piece)) piece else piece[1L:end]
    if (size) {
      whole <- c(unlist(pieces), whole)
      pieces <<- list()
      size <<- 0
    }
    if (end < length(piece)) keep(piece[(end + 1L):length(piece)])
    take_lines(it, whole)
  }
  finish <- function() {
    if (status == 0L) begin()
    content <- if (length(pieces)) unlist(pieces) else raw()
    if (status != 200L) refuse(status, fields(curl::handle_data(handle)$headers), content)
  }
  list(take = take, finish = finish)
}

line_end <- as.raw(10L)

# Where the last line of a piece ends; 0: none does.
last_line_end <- function(piece) {
  if (piece[[length(piece)]] == line_end) return(length(piece))
  ends <- grepRaw("\n", piece, fixed = TRUE, all = TRUE)
  if (length(ends)) ends[[length(ends)]] else 0L
}

begun <- function(it, position) {
  connected(it)
  it$has_been_live <- TRUE
  it$last <- NULL
  if (it$is_several && is.null(it$position)) it$position <- position
}

# Whole lines. Returns: whether that is enough.
take_lines <- function(it, bytes) {
  usual <- if (it$is_several) 4L else 2L
  for (record in from_json(array_of(bytes))) {
    # Most records have a position and data, and nothing to say beside.
    is_usual <- length(record) == usual && !is.null(record[["data"]])
    if (is_usual) deliver(it, record, 0) else if (take_news(it, record)) return(TRUE)
    if (it$is_several) keep_place(it, record)
    if (is_over(it)) return(TRUE)
  }
  FALSE
}

# Lines, each with an empty one behind it, and more of these as signs of life, as one array.
array_of <- function(bytes) {
  begin <- 1L
  end <- length(bytes)
  while (end >= begin && bytes[[end]] == line_end) end <- end - 1L
  while (begin <= end && bytes[[begin]] == line_end) begin <- begin + 1L
  if (begin > end) return(charToRaw("[]"))
  bytes <- bytes[begin:end]
  ends <- grepRaw("\n\n", bytes, fixed = TRUE, all = TRUE)
  # Behind a sign of life there is one more, or two: only the first of them is a comma.
  if (length(ends) > 1L) ends <- ends[c(TRUE, diff(ends) > 2L)]
  bytes[ends] <- as.raw(44L)
  c(as.raw(91L), bytes, as.raw(93L))
}

# A record that says something beside, or instead of, data. Returns: whether the stream is to be left.
take_news <- function(it, record) {
  if (!is.null(record[["end"]])) stop_refused(403L, paste("access has ended:", record[["end"]]))
  if (!is.null(record[["retry"]])) {
    it$retry <- record[["retry"]] / 1000
    return(FALSE)
  }
  lost <- if (is.null(record[["lost"]])) 0 else record[["lost"]]
  if (lost > 0 && it$goes_back && !is.null(it$position) && !is.null(record[["position"]]) && !it$is_several) {
    # The history has them yet: catch up with polls. What is lost there as well is lost.
    it$phase <- "behind"
    return(TRUE)
  }
  if (!is.null(record[["closed"]])) {
    it$pending <- it$pending + lost
    warning("channel ", record[["channel"]], " has ended: ", record[["closed"]], call. = FALSE)
    return(FALSE)
  }
  was <- if (it$is_several) it$places[[record[["channel"]]]] else it$position
  missing <- missed(it, record[["position"]], lost, is.null(record[["recovered"]]), was)
  if ("data" %in% names(record)) {
    deliver(it, record, missing)
  } else {
    it$pending <- it$pending + missing
    at <- record[[if (it$is_several) "id" else "position"]]
    if (!is.null(at)) it$position <- at
  }
  FALSE
}

# Of several channels, each has its own numbers.
keep_place <- function(it, record) {
  if (!is.null(record[["channel"]]) && !is.null(record[["position"]])) it$places[[record[["channel"]]]] <- record[["position"]]
}
