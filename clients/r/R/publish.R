#' Publish
#'
#' Sends one sample. It is sent again when no answer came, for up to the radio's `timeout`; the server takes it once, unless it crashed in
#' between.
#'
#' @inheritParams radio_listen
#' @param data What listeners get. A named list is an object, a vector an array, a vector of length one a value, unless wrapped in `I()`. `NA`
#'   and `NULL` are null; a data frame is an array of its rows. What has dimensions, `matrix()` or `array()`, becomes a numerical
#'   array, which Python's listeners get as NumPy's. Raw vectors are binary data.
#' @return How many listened, invisibly.
#' @examples
#' \dontrun{
#' radio_publish(radio("http://127.0.0.1:8080", key = "station-key"), "weather.island", list(wind = 4))
#' }
#' @export
radio_publish <- function(radio, channel, data, channel_key = NULL) {
  check_radio(radio)
  channel <- one_text(channel, "channel")
  # Objects have a form in which every refusal has a status; everything else has to be an argument.
  is_object <- is.list(data) && !is.data.frame(data) && !is.null(names(data))
  message <- if (is_object) list(network = channel, data = data) else list(topic = channel, args = I(list(data)))
  key <- if (is.null(channel_key)) character() else c("Channel-Key" = one_text(channel_key, "channel_key"))
  answer <- post(radio, "/publish", to_json(message), radio$timeout, key, new_idempotency_key())
  if (answer$status != 200L) refuse_request(answer)
  told <- from_json(answer$content)
  if (!is.null(told[["error"]])) stop_refused(200L, refusal_text(told), told[["error"]])
  readers <- answer$headers[["x-radiod-readers"]]
  invisible(if (is.null(readers)) NA_integer_ else as.integer(readers))
}

#' Call a procedure
#'
#' @inheritParams radio_listen
#' @param procedure Its name.
#' @param ... Arguments; those with names are keywords.
#' @param timeout Seconds that it may take; then it is told to stop, if it can be told.
#' @return What it returns; a list of `args` and `kwargs` if that is more than one value. Errors are [radiod_error]s.
#' @examples
#' \dontrun{
#' radio_call(radio("http://127.0.0.1:8080", key = "station-key"), "radiod.echo", 1, 2)
#' }
#' @export
radio_call <- function(radio, procedure, ..., timeout = radio$timeout) {
  check_radio(radio)
  timeout <- seconds(timeout, "timeout")
  given <- list(...)
  is_named <- if (is.null(names(given))) rep(FALSE, length(given)) else nzchar(names(given))
  message <- list(
    procedure = one_text(procedure, "procedure"), args = I(unname(given[!is_named])),
    kwargs = given[is_named], options = list(timeout = max(1, ceiling(timeout * 1000)))
  )
  if (!any(is_named)) message$kwargs <- NULL
  # The server says first that the time is over.
  answer <- post(radio, "/call", to_json(message), timeout + 5)
  if (answer$status != 200L) refuse_request(answer)
  result <- from_json(answer$content)
  if (!is.null(result[["error"]])) stop_call(result)
  args <- lapply(result[["args"]], simple)
  if (!length(result[["kwargs"]]) && length(args) <= 1L) return(if (length(args)) args[[1L]])
  list(args = args, kwargs = simple(result[["kwargs"]]))
}

stop_call <- function(result) {
  uri <- result[["error"]]
  kinds <- c(
    if (uri == "wamp.error.timeout") "timeout",
    if (uri == "wamp.error.not_authorized") "refused",
    "call_error"
  )
  stop_radiod(kinds, refusal_text(result), uri = uri, args = result[["args"]], kwargs = result[["kwargs"]], status = 200L)
}

refusal_text <- function(told) {
  more <- told[["args"]]
  paste0(told[["error"]], if (length(more) && is.character(more[[1L]])) paste0(": ", more[[1L]]))
}

# Somebody who waits for one answer is told, whatever it is.
refuse_request <- function(answer) {
  tryCatch(
    refuse(answer$status, answer$headers, answer$content),
    radiod_broken = function(e) stop_refused(answer$status, conditionMessage(e), retry_after = e$retry)
  )
}

counter <- new.env(parent = emptyenv())
counter$requests <- 0

# Nobody's else: of this machine, process, moment and request.
new_idempotency_key <- function() {
  counter$requests <- counter$requests + 1
  node <- gsub("[^A-Za-z0-9.-]", "", Sys.info()[["nodename"]])
  sprintf("%s-%d-%.6f-%.0f", substr(node, 1L, 64L), Sys.getpid(), now(), counter$requests)
}
