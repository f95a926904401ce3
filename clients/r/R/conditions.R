# Everything that goes wrong beyond wrong arguments is a condition of one of these classes.

#' Errors
#'
#' Errors are conditions of class `radiod_error`, and of one of those below, so that `tryCatch` finds them by name.
#' A wrong argument is an ordinary error, before anything is sent.
#'
#' | class | when | fields |
#' |---|---|---|
#' | `radiod_refused` | the server said no: wrong key, no right, no such channel, a channel that has ended, access that ended | `status` (of HTTP), `reason`, `uri`, `retry_after` (seconds, or `NULL`) |
#' | `radiod_disconnected` | no server there; or it went away before it answered, so that nobody knows what became of the request | |
#' | `radiod_timeout` | no answer in time | |
#' | `radiod_call_error` | a procedure failed, or there is none | `uri`, `args`, `kwargs` |
#'
#' A call that took too long is a `radiod_timeout` and a `radiod_call_error`; one that is not allowed a `radiod_refused` and a
#' `radiod_call_error`. [radio_listen()] warns with class `radiod_disconnected` if there is no server when its time is over.
#' @name radiod_error
#' @examples
#' tryCatch(
#'   radio_latest(radio("http://127.0.0.1:1"), "weather"),
#'   radiod_disconnected = function(e) message("no server: ", conditionMessage(e))
#' )
NULL

stop_radiod <- function(kinds, message, ...) {
  stop(radiod_condition(kinds, "error", message, ...))
}

radiod_condition <- function(kinds, severity, message, ...) {
  classes <- c(paste0("radiod_", kinds), paste0("radiod_", severity), severity, "condition")
  structure(class = classes, list(message = message, call = NULL, ...))
}

stop_refused <- function(status, reason, uri = NULL, retry_after = NULL) {
  stop_radiod("refused", sprintf("refused (%d): %s", status, reason),
    status = status, reason = reason, uri = uri, retry_after = retry_after
  )
}

# What `radio_listen` comes back from by itself. Nobody else sees it.
stop_broken <- function(reason, retry = NULL) {
  stop(structure(class = c("radiod_broken", "error", "condition"), list(message = reason, call = NULL, retry = retry)))
}
