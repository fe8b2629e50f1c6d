# Reference values for tests/model/survival/test_predicted_survival.py, by R's survival package.
#
# Rscript predicted.R FOLDER: reads the data sets in FOLDER (those lifelines ships), writes JSON to standard output.
# Debian: apt-get install r-base-core r-cran-survival

suppressPackageStartupMessages(library(survival))

folder <- commandArgs(trailingOnly = TRUE)[1]
read <- function(name) read.csv(file.path(folder, name))
converged <- coxph.control(eps = 1e-14, toler.chol = 1e-14, iter.max = 100)

json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ", "), "}"))
  if (is.character(x)) return(paste0('"', x, '"'))
  paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")
}

predicted <- function(fit, people, times) {
  of_person <- function(i) {
    curve <- survfit(fit, newdata = people[i, ], stype = 2, ctype = 1, conf.type = "log-log")
    found <- summary(curve, times = times, extend = TRUE)
    rbind(found$surv, found$lower, found$upper)
  }
  found <- lapply(seq_len(nrow(people)), of_person)
  row <- function(k) unlist(lapply(found, function(x) x[k, ]))
  list(survival = row(1), lower = row(2), upper = row(3))
}

rossi <- read("rossi.csv")
heart <- read("stanford_heart.csv")
cat(json(list(
  version = paste(R.version.string, "survival", packageVersion("survival")),
  rossi = predicted(coxph(Surv(week, arrest) ~ fin + age + prio, rossi, control = converged), rossi[1:3, ], c(5, 20, 50)),
  rossi_strata = predicted(
    coxph(Surv(week, arrest) ~ fin + age + prio + strata(race), rossi, control = converged), rossi[1:3, ], c(8, 20, 40)
  ),
  heart = predicted(
    coxph(Surv(start, stop, event) ~ age + year + transplant, heart, control = converged), heart[1:3, ], c(30, 100, 400)
  )
)), "\n")
