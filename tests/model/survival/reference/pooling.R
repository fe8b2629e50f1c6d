# Reference values for tests/model/survival/test_pooling_against_r.py, by R's mice and mitml.
#
# Rscript pooling.R FOLDER FILE: reads lung.csv in FOLDER (lifelines ships it), writes FILE (JSON).
# Debian: apt-get install r-base-core r-cran-survival r-cran-mice r-cran-mitml

suppressMessages({
  library(survival)
  library(mice)
  library(mitml)
})

arguments <- commandArgs(trailingOnly = TRUE)
lung <- read.csv(file.path(arguments[1], "lung.csv"))
lung <- lung[complete.cases(lung[, c("inst", "age", "sex", "ph.ecog", "wt.loss")]), ]
converged <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 100)

json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ",\n"), "}"))
  if (is.character(x)) return(paste0('"', x, '"'))
  paste0("[", paste(ifelse(is.finite(x), sprintf("%.17g", x), "null"), collapse = ", "), "]")
}

# Completed data sets anybody can make: every fourth ECOG and every third weight loss is taken for unknown.
completed <- function(k) {
  row <- seq_len(nrow(lung)) - 1
  frame <- lung
  frame$ph.ecog <- ifelse(row %% 4 == 0, (row %/% 4 + k) %% 3, frame$ph.ecog)
  frame$wt.loss <- ifelse(row %% 3 == 0, (7 * row + 5 * k) %% 30, frame$wt.loss)
  frame
}
frames <- lapply(1:5, completed)
larger <- lapply(frames, function(one) {
  coxph(Surv(time, status) ~ age + sex + ph.ecog + wt.loss, one, control = converged)
})
smaller <- lapply(frames, function(one) coxph(Surv(time, status) ~ age + sex, one, control = converged))

events <- sum(lung$status)
pooled <- pool(as.mira(larger), dfcom = events - 4)
told <- summary(pooled, conf.int = TRUE)
d1 <- testModels(larger, smaller, method = "D1")

writeLines(
  json(list(
    version = paste(R.version.string, "mice", packageVersion("mice"), "mitml", packageVersion("mitml")),
    estimate = told$estimate,
    standard_error = told$std.error,
    degrees = told$df,
    p_value = told$p.value,
    lower = told[["2.5 %"]],
    upper = told[["97.5 %"]],
    missing_information = pooled$pooled$fmi,
    d1 = as.vector(d1$test[1, c("F.value", "df1", "df2", "P(>F)")])
  )),
  arguments[2]
)
