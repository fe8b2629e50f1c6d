# Reference values for tests/model/survival/test_cox_against_r.py, by R's survival package.
#
# Rscript cox.R FOLDER FILE: reads the data sets in FOLDER (those lifelines ships), writes FILE (JSON).
# Debian: apt-get install r-base-core r-cran-survival

library(survival)
library(splines)

arguments <- commandArgs(trailingOnly = TRUE)
read <- function(name, ...) read.csv(file.path(arguments[1], name), ...)
converged <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 100)

json <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '": ', vapply(x, json, ""), collapse = ",\n"), "}"))
  if (is.character(x)) return(paste0('"', x, '"'))
  paste0("[", paste(ifelse(is.finite(x), sprintf("%.17g", x), "null"), collapse = ", "), "]")
}

survival_of <- function(fit, frame, times, ctype) {
  of_person <- function(i) summary(survfit(fit, newdata = frame[i, ], stype = 2, ctype = ctype), times = times, extend = TRUE)$surv
  unlist(lapply(1:3, of_person))
}

everything <- function(fit, frame, times) {
  by_term <- function(transform) cox.zph(fit, transform = transform, terms = FALSE)
  km <- by_term("km")
  scaled <- as.matrix(km$y)
  dfbetas <- as.matrix(residuals(fit, "dfbetas"))
  list(
    coefficients = coef(fit),
    covariance = as.vector(vcov(fit)),
    naive_covariance = as.vector(if (is.null(fit$naive.var)) fit$var else fit$naive.var),
    log_likelihood = fit$loglik[2],
    null_log_likelihood = fit$loglik[1],
    concordance = fit$concordance[["concordance"]],
    zph_km = km$table[, "chisq"],
    zph_km_p = km$table[, "p"],
    zph_identity = by_term("identity")$table[, "chisq"],
    zph_rank = by_term("rank")$table[, "chisq"],
    zph_covariates = cox.zph(fit, terms = TRUE)$table[, "chisq"],
    scaled_schoenfeld_first = scaled[1, ],
    scaled_schoenfeld_squares = colSums(scaled^2),
    dfbetas_squares = colSums(dfbetas^2),
    dfbetas_largest = apply(dfbetas, 2, function(x) x[which.max(abs(x))]),
    survival_breslow = survival_of(fit, frame, times, 1),
    survival_efron = survival_of(fit, frame, times, 2)
  )
}

rossi <- read("rossi.csv")
rossi$copies <- 1 + rossi$age %% 3
lung <- read("lung.csv")
lung <- lung[complete.cases(lung[, c("inst", "age", "sex", "ph.ecog", "wt.loss")]), ]
lung$sampling <- 0.5 + (lung$age %% 5) / 4
gbsg2 <- read("gbsg2.csv")
gbsg2$tgrade <- factor(gbsg2$tgrade, levels = c("I", "II", "III"))
larynx <- read("larynx.csv")
leukemia <- read("anderson.csv", sep = " ")
kidney <- read("kidney_transplant.csv")
heart <- read("stanford_heart.csv")
dd <- read("dd.csv")
dd <- dd[complete.cases(dd[, c("un_continent_name", "ctryname", "democracy", "start_year")]), ]
dd$democracy <- factor(dd$democracy, levels = c("Democracy", "Non-democracy"))
aids <- read("multicenter_aids_cohort.tsv", sep = "\t")

linear <- coxph(Surv(time, cens) ~ age + horTh, gbsg2, control = converged)
knots <- quantile(gbsg2$age, c(0.05, 0.35, 0.65, 0.95))
spline <- coxph(
  Surv(time, cens) ~ ns(age, knots = knots[2:3], Boundary.knots = knots[c(1, 4)]) + horTh, gbsg2, control = converged
)
bends <- anova(linear, spline)

plain <- coxph(Surv(time, status) ~ ph.ecog + age + factor(sex), lung, control = converged)
crossed <- coxph(Surv(time, status) ~ ph.ecog + age * factor(sex), lung, control = converged)
differs <- anova(plain, crossed)
in_women <- c(0, 1, 0, 1)
clustered <- coxph(Surv(time, status) ~ ph.ecog + age * factor(sex), lung, cluster = inst, control = converged)
joint <- c(2, 4)

cases <- list(
  rossi = everything(
    coxph(Surv(week, arrest) ~ fin + age + race + wexp + mar + paro + prio, rossi, control = converged),
    rossi, c(5, 20, 50)
  ),
  rossi_strata = everything(
    coxph(Surv(week, arrest) ~ fin + age + prio + strata(race, wexp), rossi, control = converged), rossi, c(8, 20, 40)
  ),
  rossi_copies = everything(
    coxph(Surv(week, arrest) ~ fin + age + prio, rossi, weights = copies, robust = FALSE, control = converged),
    rossi, c(5, 20, 50)
  ),
  lung_clusters = everything(
    coxph(Surv(time, status) ~ age + sex + ph.ecog + wt.loss, lung, cluster = inst, control = converged),
    lung, c(100, 300, 500)
  ),
  lung_sampling = everything(
    coxph(Surv(time, status) ~ age + sex + ph.ecog, lung, weights = sampling, control = converged), lung, c(100, 300, 500)
  ),
  lung_all = everything(
    coxph(Surv(time, status) ~ age + wt.loss + strata(sex), lung, weights = sampling, cluster = inst, control = converged),
    lung, c(100, 300, 500)
  ),
  gbsg2 = everything(
    coxph(Surv(time, cens) ~ age + tgrade + horTh + log(pnodes), gbsg2, control = converged), gbsg2, c(500, 1000, 2000)
  ),
  gbsg2_cut = everything(
    coxph(Surv(time, cens) ~ cut(age, c(-Inf, 45, 60, Inf)) + sqrt(tsize), gbsg2, control = converged),
    gbsg2, c(500, 1000, 2000)
  ),
  larynx = everything(
    coxph(Surv(time, death) ~ age + Stage_II + Stage_III + Stage_IV, larynx, control = converged), larynx, c(1, 3, 6)
  ),
  leukemia = everything(
    coxph(Surv(t, status) ~ sex + logWBC + Rx, leukemia, control = converged), leukemia, c(2, 8, 20)
  ),
  kidney = everything(
    coxph(Surv(time, death) ~ age + black_male + white_male + black_female, kidney, control = converged),
    kidney, c(100, 1000, 3000)
  ),
  heart = everything(
    coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart, control = converged), heart, c(30, 100, 500)
  ),
  heart_all = everything(
    coxph(
      Surv(start, stop, event) ~ age + year + transplant + strata(surgery), heart, cluster = id, control = converged
    ),
    heart, c(30, 100, 400)
  ),
  heart_weighted = everything(
    coxph(Surv(start, stop, event) ~ age + year, heart, weights = 1 + id %% 2 / 2, cluster = id, control = converged),
    heart, c(30, 100, 400)
  ),
  aids = everything(coxph(Surv(W, T, D) ~ AIDSY, aids, control = converged), aids, c(3, 4, 6)),
  dd = everything(
    coxph(
      Surv(duration, observed) ~ democracy + start_year + strata(un_continent_name), dd, cluster = ctryname,
      control = converged
    ),
    dd, c(1, 4, 8)
  )
)

tests <- list(
  spline_log_likelihood = spline$loglik[2],
  spline_log_risk = predict(spline, type = "lp", reference = "sample")[1:5],
  nonlinearity = c(bends$Chisq[2], bends$Df[2], bends[["Pr(>|Chi|)"]][2]),
  interaction = c(differs$Chisq[2], differs$Df[2], differs[["Pr(>|Chi|)"]][2]),
  interaction_wald = summary(crossed)$coefficients[4, "z"]^2,
  age_in_women = c(sum(in_women * coef(crossed)), sqrt(drop(in_women %*% vcov(crossed) %*% in_women))),
  joint_robust_wald = drop(coef(clustered)[joint] %*% solve(vcov(clustered)[joint, joint], coef(clustered)[joint]))
)

writeLines(
  json(list(version = paste(R.version.string, "survival", packageVersion("survival")), cases = cases, tests = tests)),
  arguments[2]
)
