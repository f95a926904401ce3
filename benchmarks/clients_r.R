# One listener of benchmarks/clients_r.py: Rscript clients_r.R KIND URL COUNT [AFTER]. Prints "ready", and then the microseconds of CPU
# that an event has cost, from the first to the last.

told <- commandArgs(TRUE)
kind <- told[[1]]
url <- told[[2]]
count <- as.integer(told[[3]])
after <- if (length(told) > 3) told[[4]]

begun <- NULL
heard <- 0L
cpu <- function() sum(proc.time()[c("user.self", "sys.self")])
one <- function(data) {
  if (is.null(data$n)) stop("no data")
  heard <<- heard + 1L
  if (heard == 1L) begun <<- cpu()
  if (heard == count) cat((cpu() - begun) / (count - 1) * 1e6, "\n")
  heard < count
}

client <- function() {
  station <- radiod::radio(url)
  # The server's buffer holds what a burst leaves.
  settings <- if (is.null(after)) list(size = 100000, max_bytes = 2^24)
  hear <- function(sample) {
    if (sample$lost > 0) stop("lost")
    one(sample$data)
  }
  do.call(radiod::radio_listen, c(list(station, "bench", hear, after = after), settings))
}

# What is written by hand: no positions, no reconnection, no losses.
read_lines <- function() {
  handle <- curl::new_handle()
  curl::handle_setheaders(handle, Accept = "application/x-ndjson")
  query <- if (is.null(after)) "?size=100000&max_bytes=16777216" else paste0("?after=", after)
  stream <- curl::curl(paste0(url, "/listen/bench", query), "r", handle = handle)
  on.exit(close(stream))
  repeat {
    line <- readLines(stream, 1)
    if (nzchar(line) && !one(jsonlite::parse_json(line)$data)) break
  }
}

cat("ready\n")
invisible(if (kind == "client") client() else read_lines())
