test_that("what is published is heard, in order", {
  station <- a_radio()
  mark <- published(station, 1:20)
  heard <- radio_collect(station, "test.kept", 20, timeout = 30, after = mark)
  expect_equal(heard$n, 1:20)
  expect_equal(heard$lost, rep(0, 20))
  expect_identical(attr(heard, "position"), heard$position[[20]])
  expect_equal(radio_latest(station, "test.kept")$data, list(n = 20L))
  page <- radio_history(station, "test.kept", mark, 7)
  expect_equal(vapply(page, function(sample) sample$data$n, 0L), 1:7)
  expect_identical(attr(page, "position"), heard$position[[7]])
  expect_equal(radio_history(station, "test.kept", attr(heard, "position")), structure(list(), position = attr(heard, "position")))
  last <- radio_collect(station, "test.kept", 3, last = 3, timeout = 30)
  expect_equal(last$n, 18:20)
})

test_that("a callback ends it with FALSE, or with an error", {
  station <- a_radio()
  mark <- published(station, 1:5)
  seen <- 0
  position <- radio_listen(station, "test.kept", function(sample) (seen <<- sample$data$n) < 2, after = mark)
  expect_equal(seen, 2)
  radio_listen(station, "test.kept", function(sample) seen <<- sample$data$n, n = 1, after = position)
  expect_equal(seen, 3)
  expect_error(radio_listen(station, "test.kept", function(sample) stop("mine"), after = mark), "^mine$")
  # In the stream, too.
  expect_error(radio_listen(station, "test.kept", function(sample) stop("mine"), after = mark, size = 10), "^mine$")
})

test_that("a callback may publish and listen with the same radio", {
  station <- a_radio()
  mark <- published(station, 1:2)
  found <- list()
  radio_listen(station, "test.kept", function(sample) {
    radio_publish(station, "test.other", list(n = 1))
    found[[length(found) + 1]] <<- radio_latest(station, "test.kept")$data$n
  }, n = 2, after = mark)
  expect_equal(found, list(2L, 2L))
})

test_that("time is kept", {
  station <- a_radio()
  took <- system.time(none <- radio_collect(station, "test.silent", 1, timeout = 0.5))[["elapsed"]]
  expect_equal(nrow(none), 0)
  expect_gte(took, 0.5)
  expect_null(radio_listen(station, "test.silent", print, n = 0))
  expect_error(radio_call(station, "test.hang", timeout = 0.2), class = "radiod_call_error")
})

test_that("data of all kinds come back", {
  station <- a_radio()
  sent <- list(
    number = 1 / 3, text = "\u00e9 \\u0000 \"", flags = c(TRUE, FALSE), none = NULL, nested = list(a = list(b = 1:3)),
    grid = matrix(c(1.5, NaN, 3, 4, 5, 6), 2), bytes = as.raw(0:255)
  )
  radio_publish(station, "test.kept", sent)
  expect_equal(radio_latest(station, "test.kept")$data, sent)
  for (sent in list(5, "text", c(1.5, 2), TRUE, matrix(1:4, 2))) {
    radio_publish(station, "test.kept", sent)
    expect_equal(radio_latest(station, "test.kept")$data, sent)
  }
})

test_that("calls take and return what they are given", {
  station <- a_radio()
  expect_equal(radio_call(station, "radiod.echo", 1, "b"), list(args = list(1L, "b"), kwargs = NULL))
  expect_equal(radio_call(station, "radiod.echo", c(1.5, 2)), c(1.5, 2))
  expect_null(radio_call(station, "radiod.echo"))
  failed <- tryCatch(radio_call(station, "no.such.procedure"), radiod_call_error = identity)
  expect_equal(failed$uri, "wamp.error.no_such_procedure")
})

test_that("refusals say why", {
  station <- a_radio()
  stranger <- radio(station$url, "wrong")
  refused <- function(call, status, reason) {
    error <- expect_error(call, class = "radiod_refused")
    expect_equal(error$status, status)
    expect_match(error$reason, reason)
  }
  refused(radio_publish(stranger, "test.kept", list(n = 1)), 400, "API-KEY not valid")
  refused(radio_publish(radio(station$url), "test.kept", list(n = 1)), 400, "API-KEY missing")
  refused(radio_listen(stranger, "test.kept", print), 403, "")
  refused(radio_listen(station, "test.kept", print, after = "nonsense"), 400, "after")
  refused(radio_listen(station, "test.kept", print, policy = "nonsense"), 400, "policy")
  refused(radio_history(station, "test.silent"), 204, "keeps no history")
  expect_null(radio_latest(station, "test.silent"))
})
