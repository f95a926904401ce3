#' A radiod server
#'
#' Makes what all other functions take first. Nothing is sent before one of them is called.
#'
#' @param url Where the server is: `"http://127.0.0.1:8080"`, `"https://..."`.
#' @param key An API key, or a listen token. `NULL`: none, for what strangers may do.
#' @param timeout Seconds that an answer may take.
#' @param silence Seconds without a sign of life after which a connection is given up, and made anew. The server gives one every
#'   15 s, unless its `heartbeat_s` says otherwise.
#' @param curl Options of libcurl, see [curl::curl_options()]: `list(cainfo = "ca.pem")`, `list(proxy = "...")`.
#' @return A `radiod_radio`. Printing it shows no key.
#' @examples
#' station <- radio("http://127.0.0.1:8080")
#' station
#' @export
radio <- function(url, key = NULL, timeout = 20, silence = 45, curl = list()) {
  url <- one_text(url, "url")
  address <- sub("/+$", "", sub("^ws", "http", url))
  if (!grepl("^https?://[^/?#@]+(/[^?#]*)?$", address)) {
    stop("url must be like \"http://127.0.0.1:8080\", not \"", url, "\"", call. = FALSE)
  }
  if (!is.list(curl)) stop("curl must be a list of options", call. = FALSE)
  radio <- new.env(parent = emptyenv())
  radio$url <- address
  radio$key <- if (is.null(key)) NULL else one_text(key, "key")
  radio$timeout <- seconds(timeout, "timeout")
  radio$silence <- seconds(silence, "silence")
  radio$curl <- curl
  # Whether anybody has ever answered there: until then a failure is told at once, as a wrong url is likely.
  radio$is_known <- FALSE
  radio$handle <- NULL
  radio$process <- 0L
  class(radio) <- "radiod_radio"
  radio
}

#' @export
print.radiod_radio <- function(x, ...) {
  cat("<radio ", x$url, if (is.null(x$key)) "" else ", with a key", ">\n", sep = "")
  invisible(x)
}

check_radio <- function(radio) {
  if (!inherits(radio, "radiod_radio")) stop("expected what radio() makes", call. = FALSE)
}

one_text <- function(x, what) {
  if (!is.character(x) || length(x) != 1L || is.na(x) || !nzchar(x)) {
    stop(what, " must be one text", call. = FALSE)
  }
  enc2utf8(x)
}

seconds <- function(x, what) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < 0) {
    stop(what, " must be seconds, 0 or more", call. = FALSE)
  }
  as.numeric(x)
}

whole <- function(x, what, least = 0, most = Inf) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < least || x > most || (is.finite(x) && x != floor(x))) {
    stop(what, " must be a whole number from ", least, if (is.finite(most)) paste0(" to ", most), call. = FALSE)
  }
  as.numeric(x)
}

now <- function() as.numeric(Sys.time())

# From 0 to 1, for pauses. Not `runif`: a program's random numbers are its own.
some_part <- function() ((now() * 1e6 + Sys.getpid() * 7919) %% 1000) / 1000
