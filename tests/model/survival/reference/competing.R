# Reference values for curves, cumulative incidence, Gray's test and the Fine-Gray model, from R's survival and cmprsk.
#
# Usage: Rscript competing.R FOLDER
# FOLDER holds <name>.csv of each data set, as tests/model/survival/test_competing.py writes them (columns: time, entry,
# kind, group, stratum, sampling, copies, and covariates x1 …). The JSON goes to standard output.
suppressPackageStartupMessages({
  library(survival)
  library(cmprsk)
})

json <- function(value) {
  if (is.list(value)) {
    parts <- mapply(function(name, each) paste0('"', name, '": ', json(each)), names(value), value)
    return(paste0("{", paste(parts, collapse = ", "), "}"))
  }
  if (is.character(value)) {
    return(paste0('"', value, '"'))
  }
  numbers <- ifelse(is.na(value), "null", formatC(value, digits = 17, format = "g", width = 1))
  if (length(value) == 1) numbers else paste0("[", paste(numbers, collapse = ", "), "]")
}

curve_at <- function(fit, times) {
  found <- summary(fit, times = times, extend = TRUE)
  list(survival = found$surv, lower = found$lower, upper = found$upper, at_risk = found$n.risk)
}

of_data_set <- function(data) {
  died <- as.integer(data$kind > 0)
  times <- as.numeric(quantile(data$time[died == 1], c(0.1, 0.3, 0.5, 0.7, 0.9), type = 1))
  late <- survfit(Surv(entry, time, died) ~ 1, data = data, conf.type = "log-log")
  sampled <- survfit(Surv(time, died) ~ 1, data = data, weights = sampling, conf.type = "log-log", robust = TRUE)
  data$row <- seq_len(nrow(data))
  late_sampled <- survfit(
    Surv(entry, time, died) ~ 1,
    data = data, weights = sampling, id = row, conf.type = "log-log", robust = TRUE
  )
  copied <- survfit(Surv(time, died) ~ 1, data = data, weights = copies, conf.type = "log-log", robust = FALSE)
  plain <- survfit(Surv(time, died) ~ 1, data = data, conf.type = "log-log")
  states <- survfit(Surv(entry, time, factor(kind, 0:2)) ~ 1, data = data, id = row)
  of_states <- summary(states, times = times, extend = TRUE)$pstate

  whole <- timepoints(cuminc(data$time, data$kind), times)
  by_group <- cuminc(data$time, data$kind, group = data$group)
  within_strata <- cuminc(data$time, data$kind, group = data$group, strata = data$stratum)

  x <- as.matrix(data[, grep("^x", names(data))])
  regression <- function(of_interest) {
    fit <- crr(data$time, data$kind, x, failcode = of_interest, gtol = 1e-14, maxiter = 100)
    curve <- predict(fit, matrix(colMeans(x), 1))
    list(
      coefficients = unname(fit$coef),
      standard_errors = sqrt(diag(fit$var)),
      log_likelihood = fit$loglik,
      incidence = sapply(times, function(time) max(0, curve[curve[, 1] <= time, 2]))
    )
  }
  list(
    times = times,
    plain = curve_at(plain, times),
    late_entry = curve_at(late, times),
    sampling_weights = curve_at(sampled, times),
    copies = curve_at(copied, times),
    late_entry_sampling_weights = curve_at(late_sampled, times),
    incidence = whole$est[1, ],
    incidence_variance = whole$var[1, ],
    other_incidence = whole$est[2, ],
    other_incidence_variance = whole$var[2, ],
    incidence_late_entry = of_states[, 2],
    gray = by_group$Tests[1, 1],
    gray_other = by_group$Tests[2, 1],
    gray_p = by_group$Tests[1, 2],
    gray_stratified = within_strata$Tests[1, 1],
    fine_gray = regression(1),
    fine_gray_other = regression(2)
  )
}

folder <- commandArgs(trailingOnly = TRUE)[1]
files <- sort(list.files(folder, pattern = "\\.csv$", full.names = TRUE))
found <- lapply(files, function(file) of_data_set(read.csv(file)))
names(found) <- sub("\\.csv$", "", basename(files))
found$versions <- list(
  R = as.character(getRversion()),
  survival = as.character(packageVersion("survival")),
  cmprsk = as.character(packageVersion("cmprsk"))
)
cat(json(found), "\n", sep = "")
