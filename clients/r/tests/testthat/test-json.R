said <- function(x) rawToChar(to_json(x))

test_that("what is said is JSON, bit by bit", {
  expect_equal(said(list(a = 1, b = "x", c = TRUE, d = NULL, e = NA)), '{"a":1,"b":"x","c":true,"d":null,"e":null}')
  expect_equal(said(c(1, NA, 2.5)), "[1,null,2.5]")
  expect_equal(said(list(I(1))), "[[1]]")
  expect_equal(said(list()), "[]")
  expect_equal(said(c(a = 1, b = 2)), '{"a":1,"b":2}')
  expect_equal(said(data.frame(a = 1:2, b = c("x", NA))), '[{"a":1,"b":"x"},{"a":2,"b":null}]')
  expect_equal(said(as.raw(0:2)), '"\\u0000AAEC"')
  expect_equal(said("\u00e9\"\\"), '"\u00e9\\"\\\\"')
  for (x in c(0.1, 0.1 + 0.2, 1 / 3, 2^53, 1e300, 5e-324, -0.1)) {
    expect_identical(as.numeric(said(x)), x)
  }
})

read <- function(text) from_json(charToRaw(enc2utf8(text)))

test_that("lines become an array, whatever signs of life are between them", {
  for (text in c("1\n\n2\n\n", "\n1\n\n\n2\n\n\n\n", "\n\n\n1\n\n\n\n2\n\n", "1\n\n\n\n\n\n2\n\n")) {
    expect_identical(from_json(array_of(charToRaw(text))), list(1L, 2L))
  }
  expect_identical(from_json(array_of(charToRaw("\n\n\n"))), list())
})

test_that("what is read is R's", {
  expect_identical(simple(read("[1, 2.5, null]")), c(1, 2.5, NA))
  expect_identical(simple(read('{"a": [true, false], "b": ["x", null], "c": []}')),
    list(a = c(TRUE, FALSE), b = c("x", NA), c = list()))
  expect_identical(simple(read('[1, "a", true]')), list(1L, "a", TRUE))
  expect_identical(simple(read("[[1, 2], [3]]")), list(c(1L, 2L), 3L))
  expect_identical(simple(read("[null]")), list(NULL))
})

test_that("NUL is binary data, or nothing, and a backslash is a backslash", {
  expect_identical(read('"\\u0000AAEC"'), as.raw(0:2))
  expect_identical(read('["a\\u0000b", "\\\\u0000", "\\\\\\u0000"]'), list("ab", "\\u0000", "\\"))
  expect_identical(read('{"a\\u0000": 1}'), list(a = 1L))
  expect_identical(read('"\\u0000"'), raw(0))
  expect_identical(read('"\\u0000no base64"'), "no base64")
  # The text has the character that stands for NUL by habit.
  expect_identical(read('["\\u0000AAEC", "\\udbff\\udffd", "\U10fffc"]'), list(as.raw(0:2), "\U10fffd", "\U10fffc"))
})

test_that("a text that looks like a file or an address is a text", {
  expect_identical(read('"http://127.0.0.1:1/"'), "http://127.0.0.1:1/")
})
