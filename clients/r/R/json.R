# JSON as radiod speaks it: data in, R's values out, and back.

# JSON to lists, without guessing: objects are named lists, arrays lists, binary data raw vectors.
#
# Texts of R hold no NUL, and jsonlite ends them there. A text that begins with NUL is binary data in base64, as WAMP has it; a
# NUL elsewhere is left out. `bytes`: UTF-8, raw; each text that is made of them on the way costs as much as reading it.
from_json <- function(bytes) {
  text <- rawToChar(bytes)
  # Elsewhere a text that does not say what it is would be taken for something else.
  if (!l10n_info()[["UTF-8"]]) Encoding(text) <- "UTF-8"
  if (!length(grepRaw("\\u0000", bytes, fixed = TRUE))) return(jsonlite::parse_json(text))
  Encoding(text) <- "UTF-8"
  mark <- free_mark(text)
  # An even number of backslashes before it: each two are one of the text's own.
  text <- gsub("(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000", paste0("\\1", mark), text, perl = TRUE)
  Encoding(text) <- "UTF-8"
  without_marks(jsonlite::parse_json(text), mark)
}

# A character of nobody's that is not in the text: it stands for NUL while jsonlite reads.
free_mark <- function(text) {
  for (code in 0x10FFFD:0x10FF00) {
    mark <- intToUtf8(code)
    escaped <- sprintf("udbff.u%x", 0xDC00 + code %% 0x400)
    if (!grepl(mark, text, fixed = TRUE) && !grepl(escaped, text, ignore.case = TRUE)) return(mark)
  }
  stop("no character is free")
}

without_marks <- function(x, mark) {
  if (is.list(x)) {
    named <- names(x)
    x[] <- lapply(x, without_marks, mark)
    if (!is.null(named)) names(x) <- gsub(mark, "", named, fixed = TRUE)
    return(x)
  }
  if (!is.character(x) || !grepl(mark, x, fixed = TRUE)) return(x)
  rest <- substring(x, 2L)
  if (startsWith(x, mark) && is_base64(rest)) return(jsonlite::base64_dec(rest))
  gsub(mark, "", x, fixed = TRUE)
}

is_base64 <- function(text) {
  nchar(text, "bytes") %% 4L == 0L && grepl("^[A-Za-z0-9+/]*={0,2}$", text, useBytes = TRUE)
}

# What a sample's data become: arrays of numbers, texts or booleans vectors, with NA for null; numerical arrays (docs/arrays.md)
# arrays, or what they were if they cannot be read.
simple <- function(x) {
  if (!is.list(x)) return(x)
  if (is.null(names(x))) {
    if (!length(x)) return(x)
    if (any(vapply(x, is.list, NA))) return(lapply(x, simple))
    return(as_vector(x))
  }
  if (!is.null(x[["_nd"]])) return(tryCatch(radio_decode_array(x), error = function(e) x))
  deep <- vapply(x, is.list, NA)
  if (any(deep)) x[deep] <- lapply(x[deep], simple)
  x
}

as_vector <- function(x) {
  is_null <- lengths(x) == 0L
  there <- if (any(is_null)) x[!is_null] else x
  if (!length(there)) return(x)
  is_one_kind <- switch(typeof(there[[1L]]),
    integer = , double = all(vapply(there, is.numeric, NA)),
    character = all(vapply(there, is.character, NA)),
    logical = all(vapply(there, is.logical, NA)),
    FALSE
  )
  if (!is_one_kind) return(x)
  if (any(is_null)) x[is_null] <- NA
  unlist(x, use.names = FALSE)
}

# Raw bytes of JSON, UTF-8. `x`: what is to be published, or called with.
#
# A vector of length one is a value, unless it is wrapped in I(). Numbers keep every bit. Arrays (what has dimensions) become
# numerical arrays. Raises: what JSON cannot say.
to_json <- function(x) {
  text <- jsonlite::toJSON(sayable(x), auto_unbox = TRUE, null = "null", na = "null", json_verbatim = TRUE, Date = "ISO8601", POSIXt = "ISO8601")
  charToRaw(enc2utf8(text))
}

# The same with those parts replaced by their JSON that jsonlite would say otherwise.
sayable <- function(x) {
  if (is.null(x) || is.character(x) || is.factor(x) || inherits(x, c("Date", "POSIXt", "json"))) return(x)
  if (is.data.frame(x)) return(lapply(seq_len(nrow(x)), function(row) lapply(as.list(x), function(column) sayable(column[[row]]))))
  if (is.list(x)) {
    x[] <- lapply(x, sayable)
    return(x)
  }
  if (!is.null(dim(x))) return(sayable(encode_array(x)))
  if (is.raw(x)) return(verbatim(paste0("\"\\u0000", base64(x), "\"")))
  if (is.logical(x)) return(x)
  if (is.numeric(x)) return(numbers(x))
  stop("cannot be sent: ", class(x)[[1L]], call. = FALSE)
}

numbers <- function(x) {
  if (any(is.nan(x) | is.infinite(x))) {
    stop("JSON has no NaN and no infinity: send an array(), or NA for null", call. = FALSE)
  }
  text <- rep("null", length(x))
  text[!is.na(x)] <- shortest(as.numeric(x[!is.na(x)]))
  if (length(x) == 1L && !inherits(x, "AsIs") && is.null(names(x))) return(verbatim(text))
  if (is.null(names(x))) return(verbatim(paste0("[", paste(text, collapse = ","), "]")))
  texts <- lapply(text, verbatim)
  names(texts) <- names(x)
  texts
}

# As few digits as say the very number.
shortest <- function(x) {
  text <- sprintf("%.15g", x)
  is_rough <- as.numeric(text) != x
  text[is_rough] <- sprintf("%.17g", x[is_rough])
  text
}

verbatim <- function(text) structure(text, class = "json")

base64 <- function(bytes) gsub("[\r\n]", "", jsonlite::base64_enc(bytes))
