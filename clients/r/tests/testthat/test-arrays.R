test_that("an array has the sender's indices", {
  expect_equal(radio_decode_array(float_array()), c(1, 2))
  expect_equal(radio_decode_array(float_array(shape = list(1, 2))), matrix(c(1, 2), 1))
  expect_equal(radio_decode_array(float_array(shape = list(), data = as.raw(c(0, 0, 128, 63)))), 1)
  cube <- array(seq_len(24) + 0, 2:4)
  expect_identical(radio_decode_array(float_array(dtype = "<f8", shape = list(2, 3, 4), data = writeBin(as.vector(aperm(cube)), raw(), endian = "little"))), cube)
})

test_that("what is sent comes back", {
  for (x in list(matrix(1:6, 2), matrix(c(1.5, NaN, Inf, NA), 2), matrix(c(TRUE, FALSE), 1), matrix(1:2 + 1i, 2), array(as.raw(1:4), 4))) {
    back <- simple(from_json(to_json(x)))
    expect_equal(as.vector(back), if (is.raw(x)) as.integer(x) else as.vector(x))
  }
})

test_that("what breaks the convention is refused", {
  refused <- function(...) expect_error(radio_decode_array(float_array(...)), "^not an array")
  expect_error(radio_decode_array(1), "^not an array")
  expect_error(radio_decode_array(float_array()[-1]), "^not an array")
  expect_error(radio_decode_array(c(float_array(), unit = "m")), "^not an array")
  for (version in list(2, TRUE, "1", 1.5, c(1, 1))) refused(`_nd` = version)
  for (dtype in list(">f4", "f4", "<f16", "|f4", "<c4", "", 4, "<f4 ", NA_character_)) refused(dtype = dtype)
  for (shape in list("2", list(2.5), list(-2), list(-1, -2), list(TRUE, 2), list("2"), list(3), list(2^40), rep(list(1), 33), list(Inf))) {
    refused(shape = shape)
  }
  for (data in list(1, "AAAA", "AAAAAAAAAA=", raw(7), raw(9), raw(0))) refused(data = data)
  for (enc in list("gzip", TRUE, 1)) refused(enc = enc)
  refused(dtype = "|b1", data = as.raw(c(1, 2)))
  refused(dtype = "<i8", shape = list(1), data = as.raw(c(1, 0, 0, 0, 0, 0, 32, 0)))
})

test_that("a stream is of its length, and nothing follows", {
  bytes <- as.raw(c(0, 0, 128, 63, 0, 0, 0, 64))
  stream <- zlib(bytes)
  expect_equal(radio_decode_array(float_array(data = stream, enc = "zlib")), c(1, 2))
  expect_equal(radio_decode_array(float_array(shape = list(0), data = zlib(raw(0)), enc = "zlib")), numeric())
  n <- length(stream)
  deflated <- stream[3:(n - 4)]
  broken <- list(
    raw(0), raw(20), as.raw(rep(255, 20)), bytes, deflated, zlib(bytes[1:7]), zlib(raw(9)), zlib(raw(1e7)),
    c(stream, as.raw(1)), c(stream, stream), c(stream[1:(n - 4)], raw(4)), c(zlib(bytes[1:4]), zlib(bytes[5:8]))
  )
  cut <- lapply(seq_len(n - 1), function(end) stream[seq_len(end)])
  for (data in c(broken, cut)) {
    expect_error(radio_decode_array(float_array(data = data, enc = "zlib")), "^not an array")
  }
})

test_that("it has a bound", {
  expect_error(radio_decode_array(float_array(), max_bytes = 7), "8 bytes, at most 7")
  bomb <- zlib(raw(2e8))
  for (shape in c(0, 1000)) {
    before <- sum(gc(reset = TRUE)[, 6])
    expect_error(radio_decode_array(float_array(dtype = "|u1", shape = list(shape), data = bomb, enc = "zlib")), "another length")
    expect_lt(sum(gc()[, 6]) - before, 20)
  }
})
