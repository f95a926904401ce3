# What needs a server runs where RADIOD_TEST_URL names one whose key "test-key" may do all, with a channel "test.kept" that keeps a
# history; tests/e2e/test_r_client.py starts it.
a_radio <- function(...) {
  url <- Sys.getenv("RADIOD_TEST_URL")
  skip_if(url == "", "no server: RADIOD_TEST_URL is not set")
  radio(url, key = "test-key", ...)
}

float_array <- function(...) {
  value <- list(`_nd` = 1, dtype = "<f4", shape = list(2), data = as.raw(c(0, 0, 128, 63, 0, 0, 0, 64)), enc = "raw")
  changes <- list(...)
  value[names(changes)] <- changes
  value
}

zlib <- function(bytes) memCompress(bytes, "gzip")

# Publishes numbers. Returns: the position before them.
published <- function(station, numbers) {
  mark <- radio_call(station, "radiod.channel.get", "test.kept")$position
  for (n in numbers) radio_publish(station, "test.kept", list(n = n))
  mark
}
