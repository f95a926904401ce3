# Does with the R client what lines of JSON on stdin say, and says on stdout, in lines of JSON, what came of it.
#
#   {"do": "radio", "url": ..., "key": ..., "silence": seconds}    -> {"done": ...}; before all else
#   {"do": "listen", "channel": ..., "n", "timeout", "after", "last", "settings": {...}, "slow_first": seconds that the
#    first callback takes}
#       -> {"sample": {"data", "position", "lost"}} ..., {"done": position}
#   {"do": "collect" | "latest" | "history", "channel": ..., ...}  -> {"done": ...}
#   {"do": "publish", "channel", "data", "channel_key"}            -> {"done": readers}
#   {"do": "call", "procedure", "args", "timeout"}                 -> {"done": result}
#   {"do": "decode", "values": [...]}                              -> {"done": [{"dim", "values"} or {"error"}, ...]}
#   {"do": "quit"}
#
# An error is {"error": classes, "message", "status", "uri"}; an interrupt is {"interrupted": true}, and it goes on.

library(radiod)

say <- function(...) {
  cat(jsonlite::toJSON(list(...), auto_unbox = TRUE, null = "null", na = "string", digits = NA), "\n", sep = "")
  flush(stdout())
}

station <- NULL

given <- function(task, ...) task[intersect(c(...), names(task))]

values_of <- function(x) {
  if (is.complex(x)) return(list(dim = I(as.integer(dim(x))), re = hex(Re(as.vector(x))), im = hex(Im(as.vector(x)))))
  list(dim = I(as.integer(dim(x))), values = I(hex(as.vector(x))))
}

hex <- function(x) if (is.logical(x)) as.integer(x) else sprintf("%a", as.numeric(x))

act <- list(
  radio = function(task) {
    station <<- do.call(radio, given(task, "url", "key", "silence"))
    TRUE
  },
  listen = function(task) {
    pause <- if (is.null(task$slow_first)) 0 else task$slow_first
    show <- function(sample) {
      say(sample = sample)
      if (pause) Sys.sleep(pause)
      pause <<- 0
    }
    settings <- given(task, "n", "timeout", "after", "last", "channel_key")
    do.call(radio_listen, c(list(station, unlist(task$channel), show), settings, task$settings))
  },
  collect = function(task) {
    settings <- given(task, "n", "timeout", "after", "last")
    do.call(radio_collect, c(list(station, unlist(task$channel)), settings))
  },
  latest = function(task) radio_latest(station, task$channel),
  history = function(task) do.call(radio_history, c(list(station, task$channel), given(task, "after", "limit"))),
  publish = function(task) {
    do.call(radio_publish, c(list(station, task$channel, task$data), given(task, "channel_key")))
  },
  call = function(task) do.call(radio_call, c(list(station, task$procedure), task$args, given(task, "timeout"))),
  decode = function(task) {
    lapply(task$values, function(value) {
      tryCatch(values_of(radio_decode_array(value)), error = function(e) list(error = conditionMessage(e)))
    })
  }
)

input <- file("stdin", "r")
say(ready = TRUE)
while (length(line <- readLines(input, 1)) > 0) {
  task <- jsonlite::parse_json(gsub("\\u0000", "", line, fixed = TRUE))
  if (task$do == "quit") break
  tryCatch(
    withCallingHandlers(
      say(done = act[[task$do]](task)),
      warning = function(w) {
        say(warning = class(w), message = conditionMessage(w))
        invokeRestart("muffleWarning")
      }
    ),
    error = function(e) say(error = class(e), message = conditionMessage(e), status = e$status, uri = e$uri),
    interrupt = function(i) say(interrupted = TRUE)
  )
}
