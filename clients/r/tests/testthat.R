library(testthat)
library(radiod)

test_check("radiod")
