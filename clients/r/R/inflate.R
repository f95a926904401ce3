# zlib streams (RFC 1950) of a size that is known, and no more.
#
# memDecompress has no bound: it doubles its buffer until the stream is over, and goes on so if the stream is cut. R's reader of
# zip files takes as many bytes as it is asked for; so the stream is put into one.

# Raises: it is no such stream, longer or shorter than `size`, damaged, or something follows.
inflated <- function(stream, size) {
  length <- length(stream)
  if (length < 8L || !has_zlib_head(stream)) no_array("data: not zlib")
  deflated <- stream[3:(length - 4L)]
  bytes <- from_zip(deflated, size + 1)
  if (is.null(bytes) || length(bytes) != size) no_array("data: not zlib, or of another length")
  if (!identical(stream[(length - 3L):length], adler32(bytes))) no_array("data: wrong checksum")
  # Without its last byte the stream would be cut, if it does end there.
  if (!is.null(from_zip(deflated[-length(deflated)], size + 1))) no_array("data: something follows")
  bytes
}

has_zlib_head <- function(stream) {
  head <- as.integer(stream[1:2])
  head[[1L]] %% 16L == 8L && head[[1L]] < 128L && head[[2L]] %/% 32L %% 2L == 0L && sum(head * c(256L, 1L)) %% 31L == 0L
}

# At most `most` bytes out of a deflate stream; NULL if it is damaged or cut.
from_zip <- function(deflated, most) {
  file <- tempfile(fileext = ".zip")
  on.exit(unlink(file))
  writeBin(zip_of(deflated, most), file)
  member <- unz(file, "a", "rb")
  on.exit(close(member), add = TRUE, after = FALSE)
  tryCatch(readBin(member, raw(), most), error = function(e) NULL, warning = function(w) NULL)
}

# A zip file with one member "a" that says to have `size` bytes.
zip_of <- function(deflated, size) {
  about <- c(bytes_of(c(20, 0, 8, 0, 0), 2L), raw(4L), bytes_of(c(length(deflated), size), 4L), bytes_of(c(1, 0), 2L))
  local <- c(charToRaw("PK\003\004"), about, charToRaw("a"))
  central <- c(charToRaw("PK\001\002"), bytes_of(20, 2L), about, raw(14L), charToRaw("a"))
  end <- c(
    charToRaw("PK\005\006"), raw(4L), bytes_of(c(1, 1), 2L),
    bytes_of(c(length(central), length(local) + length(deflated)), 4L), raw(2L)
  )
  c(local, deflated, central, end)
}

# Unsigned numbers, little-endian, `width` bytes each.
bytes_of <- function(numbers, width) as.raw(vapply(numbers, function(n) n %/% 256^(seq_len(width) - 1L) %% 256, numeric(width)))

# As a zlib stream has it at its end: four bytes, big-endian.
adler32 <- function(bytes) {
  a <- 1
  b <- 0
  begin <- 1
  while (begin <= length(bytes)) {
    # So many that their sums are exact.
    block <- as.numeric(bytes[begin:min(length(bytes), begin + 65535)])
    n <- length(block)
    b <- (b + n * a + sum(block * (n:1))) %% 65521
    a <- (a + sum(block)) %% 65521
    begin <- begin + n
  }
  as.raw(c(b %/% 256, b %% 256, a %/% 256, a %% 256))
}
