test_that("a url is an address", {
  for (url in c("localhost:8080", "ftp://a", "http://", "http://a?b", "http://me@a")) expect_error(radio(url), "^url must be")
  expect_error(radio(1), "url must be one text")
  expect_equal(radio("ws://a:1/")$url, "http://a:1")
  expect_equal(radio("wss://a/radio/")$url, "https://a/radio")
})

test_that("a key is not shown", {
  shown <- capture.output(print(radio("http://a", key = "secret")))
  expect_equal(shown, "<radio http://a, with a key>")
})

test_that("wrong arguments are told before anything is sent", {
  nowhere <- radio("http://127.0.0.1:1")
  expect_error(radio_latest("http://a", "b"), "expected what radio\\(\\) makes")
  expect_error(radio_listen(nowhere, "a", print, n = 1.5), "n must be a whole number")
  expect_error(radio_listen(nowhere, "a", print, timeout = -1), "timeout must be seconds")
  expect_error(radio_listen(nowhere, "a", print, last = 1001), "last must be a whole number from 0 to 1000")
  expect_error(radio_listen(nowhere, "a", print, after = "a:1", last = 1), "exclude each other")
  expect_error(radio_listen(nowhere, "a", print, sizes = 1), "unknown: sizes")
  expect_error(radio_listen(nowhere, character(), print), "channel must be")
  expect_error(radio_listen(nowhere, "a", "no such function"), "not found")
  expect_error(radio_collect(nowhere, "a"), "when it is enough")
  expect_error(radio_publish(nowhere, "a", list(x = Inf)), "no infinity")
  expect_error(radio_publish(nowhere, "a", list(x = sum)), "cannot be sent: function")
  expect_error(radio_publish(nowhere, "a", matrix(c(TRUE, NA), 1)), "no NA")
})

test_that("no server is told at once", {
  nowhere <- radio("http://127.0.0.1:1")
  expect_error(radio_listen(nowhere, "a", print), class = "radiod_disconnected")
  expect_error(radio_latest(nowhere, "a"), class = "radiod_disconnected")
  expect_error(radio_publish(nowhere, "a", list(x = 1)), class = "radiod_disconnected")
  expect_error(radio_call(nowhere, "a"), class = "radiod_disconnected")
})
