# Numerical arrays in samples, as docs/arrays.md says.

array_keys <- c("_nd", "dtype", "shape", "data", "enc")
item_sizes <- c(
  b1 = 1, i1 = 1, i2 = 2, i4 = 4, i8 = 8, u1 = 1, u2 = 2, u4 = 4, u8 = 8, f2 = 2, f4 = 4, f8 = 8, c8 = 8, c16 = 16
)

#' A numerical array out of a sample
#'
#' The functions that listen do this by themselves, for arrays anywhere in the data. This one is for those that come another way, and
#' says what is wrong with one.
#'
#' Indices are the sender's, from 1: element `a[i, j]` of a `[rows, columns]` array is `a[i + 1, j + 1]` here. One dimension
#' becomes a vector, none a number. 64-bit integers become doubles where these hold them, up to 2^53; beyond they are an error. Floats of
#' 16 and 32 bits become doubles, and the least integer of 32 bits, which is R's `NA`, makes all of them doubles.
#'
#' @param value The list that the array was: `_nd`, `dtype`, `shape`, `data` (a raw vector, or base64 as text), `enc`.
#' @param max_bytes Most bytes of elements that it may have. Compressed arrays are not inflated beyond that.
#' @return A vector or an array.
#' @examples
#' radio_decode_array(list(
#'   `_nd` = 1, dtype = "<i2", shape = list(2, 3), enc = "raw",
#'   data = as.raw(c(1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0))
#' ))
#' @export
radio_decode_array <- function(value, max_bytes = 64 * 2^20) {
  if (!is.list(value) || length(value) != 5L || !setequal(names(value), array_keys)) {
    no_array("expected a list of _nd, dtype, shape, data, enc")
  }
  if (!identical(as_whole(value[["_nd"]]), 1)) no_array("_nd: expected version 1")
  type <- type_of(value[["dtype"]])
  shape <- shape_of(value[["shape"]])
  size <- prod(shape) * item_sizes[[type]]
  if (size > max_bytes) no_array(sprintf("shape: %.0f bytes, at most %.0f", size, max_bytes))
  bytes <- elements(value[["data"]], value[["enc"]], size)
  in_c_order(read_elements(bytes, type), shape)
}

no_array <- function(what) stop("not an array: ", what, call. = FALSE)

# A whole number as a double; NULL if it is none.
as_whole <- function(x) {
  if (is.numeric(x) && length(x) == 1L && is.finite(x) && x == floor(x)) as.numeric(x)
}

type_of <- function(dtype) {
  if (is.character(dtype) && length(dtype) == 1L && grepl("^(<[a-z][0-9]+|\\|[biu]1)$", dtype)) {
    type <- substring(dtype, 2L)
    if (type %in% names(item_sizes)) return(type)
  }
  no_array("dtype: none of the convention's")
}

shape_of <- function(shape) {
  if (!(is.list(shape) || is.numeric(shape)) || !is.null(names(shape)) || length(shape) > 32L) {
    no_array("shape: expected up to 32 integers")
  }
  extents <- lapply(shape, as_whole)
  if (any(lengths(extents) == 0L)) no_array("shape: expected integers")
  extents <- as.numeric(unlist(extents))
  # Of an empty array, others may be of any length; R's may not.
  if (any(extents < 0 | extents > .Machine$integer.max)) no_array("shape: too long for R, or negative")
  extents
}

elements <- function(data, enc, size) {
  if (is.character(data) && length(data) == 1L) {
    if (!is_base64(data)) no_array("data: not base64")
    data <- jsonlite::base64_dec(data)
  }
  if (!is.raw(data)) no_array("data: expected bytes")
  if (identical(enc, "zlib")) return(inflated(data, size))
  if (!identical(enc, "raw")) no_array("enc: expected \"raw\" or \"zlib\"")
  if (length(data) != size) no_array(sprintf("data: %d bytes, expected %.0f", length(data), size))
  data
}

read_elements <- function(bytes, type) {
  whole <- function(size, signed = TRUE) {
    readBin(bytes, "integer", n = length(bytes) %/% size, size = size, signed = signed, endian = "little")
  }
  float <- function(size) readBin(bytes, "numeric", n = length(bytes) %/% size, size = size, endian = "little")
  switch(type,
    b1 = booleans(bytes),
    i1 = whole(1L), i2 = whole(2L), i4 = all_bits(whole(4L)), i8 = wide(whole(2L, FALSE), is_signed = TRUE),
    u1 = whole(1L, FALSE), u2 = whole(2L, FALSE), u4 = halves(whole(2L, FALSE)), u8 = wide(whole(2L, FALSE), is_signed = FALSE),
    f2 = half_floats(whole(2L, FALSE)), f4 = float(4L), f8 = float(8L),
    c8 = pairs_of(float(4L)), c16 = pairs_of(float(8L))
  )
}

booleans <- function(bytes) {
  if (any(bytes > as.raw(1L))) no_array("data: booleans are 0 or 1")
  bytes == as.raw(1L)
}

# The least 32-bit integer is NA in R.
all_bits <- function(x) {
  if (!anyNA(x)) return(x)
  x <- as.numeric(x)
  x[is.na(x)] <- -2^31
  x
}

# Every other element. Not by x[c(TRUE, FALSE)], which makes NA of nothing.
odd <- function(x) x[2 * seq_len(length(x) %/% 2L) - 1]
even <- function(x) x[2 * seq_len(length(x) %/% 2L)]

# 32 bits from 16 and 16, the lower ones first.
halves <- function(x) odd(x) + 65536 * even(x)

# 64 bits from four times 16.
wide <- function(x, is_signed) {
  parts <- halves(x)
  low <- odd(parts)
  high <- even(parts)
  if (is_signed) high <- ifelse(high >= 2^31, high - 2^32, high)
  all <- high * 2^32 + low
  if (any(abs(all) > 2^53 | (abs(all) == 2^53 & low %% 2 == 1))) no_array("data: 64-bit integers beyond 2^53 have no counterpart in R")
  all
}

half_floats <- function(bits) {
  sign <- ifelse(bits >= 32768, -1, 1)
  exponent <- (bits %/% 1024L) %% 32L
  fraction <- bits %% 1024L
  value <- ifelse(exponent == 0L, fraction * 2^-24, (1 + fraction / 1024) * 2^(exponent - 15))
  value <- ifelse(exponent == 31L, ifelse(fraction == 0L, Inf, NaN), value)
  sign * value
}

pairs_of <- function(x) complex(real = odd(x), imaginary = even(x))

in_c_order <- function(x, shape) {
  if (length(shape) < 2L) return(x)
  if (length(shape) == 2L) return(matrix(x, shape[[1L]], shape[[2L]], byrow = TRUE))
  aperm(array(x, rev(shape)))
}

# What has dimensions, as the list that travels. Integers with NA become doubles with NaN.
encode_array <- function(x) {
  if (is.logical(x) && anyNA(x)) stop("an array of booleans has no NA", call. = FALSE)
  if (is.integer(x) && anyNA(x)) storage.mode(x) <- "double"
  dtype <- switch(typeof(x), logical = "|b1", raw = "|u1", integer = "<i4", double = "<f8", complex = "<c16")
  if (is.null(dtype)) stop("an array of type ", typeof(x), " cannot be sent", call. = FALSE)
  shape <- dim(x)
  flat <- as.vector(aperm(x))
  bytes <- switch(typeof(x),
    logical = as.raw(flat), raw = flat, writeBin(flat, raw(), endian = "little")
  )
  list(`_nd` = 1, dtype = dtype, shape = I(shape), data = bytes, enc = "raw")
}
