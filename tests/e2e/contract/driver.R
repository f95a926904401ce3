# Drives the R client as clients/contract.toml has it: a line of JSON in, a line out.

library(radiod)

say <- function(answer) {
  cat(jsonlite::toJSON(answer, auto_unbox = TRUE, null = "null", na = "string", digits = NA), "\n", sep = "")
  flush(stdout())
}

station <- NULL
positions <- list()

act <- list(
  connect = function(told) {
    station <<- radio(told$url, key = told$key$secret)
    # Nothing is sent before something is asked.
    radio_latest(station, "kept")
    NULL
  },
  open = function(told) {
    newest <- radio_latest(station, told$channel)
    positions[[told$channel]] <<- if (is.null(newest)) "" else newest$position
    NULL
  },
  take = function(told) {
    samples <- list()
    hear <- function(sample) {
      sample$data$filling <- NULL
      lost <- if (is.na(sample$lost)) list(NULL, "unknown") else if (sample$lost) list(sample$lost, "lost") else list(NULL, NULL)
      samples[[length(samples) + 1L]] <<- c(list(sample$data, sample$position), lost)
      sample$data$n != told$until
    }
    after <- if (isTRUE(told$live)) "" else positions[[told$channel]]
    past <- if (nzchar(after)) list(after = after) else if (isTRUE(told$live)) list() else list(last = 1000)
    position <- do.call(radio_listen, c(list(station, told$channel, hear, timeout = told$seconds), past))
    positions[[told$channel]] <<- position
    samples
  },
  publish = function(told) {
    radio_publish(station, told$channel, told$data)
    NULL
  },
  call = function(told) {
    result <- do.call(radio_call, c(list(station, told$procedure), told$args, timeout = told$seconds))
    if (is.null(names(result))) result else result$args
  },
  close = function(told) NULL
)

answer_to <- function(told) {
  failed <- function(kind) function(e) list(error = kind, text = conditionMessage(e))
  tryCatch(list(ok = act[[told$do]](told)),
    radiod_timeout = failed("timeout"), radiod_refused = failed("refused"), radiod_call_error = failed("refused"),
    radiod_disconnected = failed("disconnected"), error = failed("invalid")
  )
}

input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  told <- jsonlite::fromJSON(line, simplifyVector = FALSE)
  say(answer_to(told))
  if (told$do == "close") break
}
