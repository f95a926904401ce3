# One request over HTTP, and its answer.

# Most bytes of a refusal that are read.
max_refusal <- 65536L

# A handle for one request. Redirections are not followed: the key is for this server.
new_handle <- function(radio, headers = character(), options = list()) {
  handle <- curl::new_handle()
  prepare(handle, radio, headers, options)
}

prepare <- function(handle, radio, headers, options) {
  all <- c(options, radio$curl, list(followlocation = FALSE, connecttimeout = 10, useragent = "radiod-r"))
  # Of two of a name, the first.
  curl::handle_setopt(handle, .list = all[!duplicated(names(all))])
  # No Expect: it costs a turn, and some proxies refuse it.
  sent <- c(headers, Expect = "")
  if (!is.null(radio$key)) sent <- c(sent, Authorization = paste("Bearer", radio$key))
  do.call(curl::handle_setheaders, c(list(handle), as.list(sent)))
  handle
}

# A handle whose connection is kept for later requests; a child of fork must not use its parent's.
kept_handle <- function(radio, headers, options) {
  if (is.null(radio$handle) || radio$process != Sys.getpid()) {
    radio$handle <- curl::new_handle()
    radio$process <- Sys.getpid()
  }
  curl::handle_reset(radio$handle)
  prepare(radio$handle, radio, headers, options)
}

# GET. Returns: status, headers (by name in lower case), content (raw). Signals: radiod_broken.
fetch <- function(radio, path, query = list(), headers = character()) {
  # Not a limit of the whole: a page may be a megabyte, and the line slow.
  patience <- list(low_speed_limit = 1, low_speed_time = max(1, ceiling(radio$timeout)))
  handle <- kept_handle(radio, headers, patience)
  answer <- tryCatch(
    curl::curl_fetch_memory(address(radio, path, query), handle),
    error = function(e) stop_broken(conditionMessage(e))
  )
  radio$is_known <- TRUE
  heard(answer)
}

# POST of JSON, within `timeout` seconds. `idempotency`: a key that makes it safe to send it again when no answer came; it is,
# until the time is over. Returns: as `fetch`.
post <- function(radio, path, body, timeout, headers = character(), idempotency = NULL) {
  end <- now() + timeout
  pause <- 0.1
  repeat {
    answer <- tryCatch(
      post_once(radio, path, body, end - now(), c(headers, if (!is.null(idempotency)) c("Idempotency-Key" = idempotency))),
      radiod_disconnected = identity
    )
    # 409: the first of them is not answered yet.
    is_to_repeat <- inherits(answer, "condition") || answer$status == 409L
    if (!is_to_repeat) return(answer)
    if (is.null(idempotency) || !radio$is_known || now() + pause >= end) {
      if (inherits(answer, "condition")) stop(answer)
      return(answer)
    }
    Sys.sleep(pause)
    pause <- min(pause * 2, 2)
  }
}

post_once <- function(radio, path, body, timeout, headers) {
  options <- list(
    post = TRUE, postfields = body, postfieldsize = length(body), timeout_ms = max(1, ceiling(timeout * 1000))
  )
  handle <- kept_handle(radio, c("Content-Type" = "application/json", headers), options)
  answer <- tryCatch(curl::curl_fetch_memory(address(radio, path), handle), error = identity)
  if (inherits(answer, "error")) {
    reason <- conditionMessage(answer)
    is_late <- grepl("timed out|timeout", reason, ignore.case = TRUE)
    stop_radiod(if (is_late) "timeout" else "disconnected", paste0(radio$url, ": ", reason))
  }
  radio$is_known <- TRUE
  heard(answer)
}

heard <- function(answer) {
  list(status = answer$status_code, headers = fields(answer$headers), content = answer$content)
}

# The fields of an answer's head, by name in lower case. An interim answer's come before: the last one counts.
fields <- function(head) {
  lines <- curl::parse_headers(head)
  lines <- lines[grepl(":", lines, fixed = TRUE)]
  values <- as.list(trimws(sub("^[^:]*:", "", lines)))
  names(values) <- tolower(sub(":.*", "", lines))
  values
}

address <- function(radio, path, query = list()) {
  query <- query[!vapply(query, is.null, NA)]
  if (!length(query)) return(paste0(radio$url, path))
  values <- vapply(query, function(value) curl::curl_escape(query_text(value)), "")
  paste0(radio$url, path, "?", paste0(names(query), "=", values, collapse = "&"))
}

query_text <- function(value) {
  if (is.logical(value)) return(if (value) "true" else "false")
  if (is.numeric(value)) return(format(value, scientific = FALSE, digits = 15))
  enc2utf8(value)
}

listen_path <- function(channel) paste0("/listen/", curl::curl_escape(channel))

# Tell a refusal: an answer that is no answer to what was asked. Statuses of servers that are coming or going are broken
# connections, others errors.
refuse <- function(status, headers, content) {
  told <- tryCatch(from_json(content[seq_len(min(length(content), max_refusal))]), error = function(e) NULL)
  told <- if (is.list(told)) told else list()
  reason <- told[["error"]]
  reason <- if (is.character(reason)) reason else paste("HTTP status", status)
  more <- told[["args"]]
  if (length(more) && is.character(more[[1L]])) reason <- paste0(reason, ": ", more[[1L]])
  if (is.character(told[["reason"]])) reason <- paste0(reason, ": ", told[["reason"]])
  if (status %in% 300:399) reason <- paste("the server is elsewhere:", headers[["location"]])
  later <- suppressWarnings(as.numeric(headers[["retry-after"]]))
  later <- if (length(later) == 1L && !is.na(later)) later else NULL
  is_passing <- status %in% c(502L, 503L, 504L) || (status == 429L && !is.null(later) && later <= 60)
  if (is_passing) stop_broken(reason, later)
  stop_refused(status, reason, told[["uri"]], later)
}
