# One fit of the fully adjusted model by R's survival, timed: Rscript risk_fit.R FOLDER. The folder holds columns.csv (name,
# kind, level names) and one file of raw doubles a column; result.csv is written there.
suppressPackageStartupMessages(library(survival))
folder <- commandArgs(trailingOnly = TRUE)[1]
columns <- read.csv(file.path(folder, "columns.csv"), stringsAsFactors = FALSE)
people <- list()
for (i in seq_len(nrow(columns))) {
  file <- file.path(folder, columns$name[i])
  values <- readBin(file, "double", n = file.size(file) / 8)
  levels <- strsplit(columns$levels[i], "|", fixed = TRUE)[[1]]
  people[[columns$name[i]]] <- if (length(levels) > 0) factor(levels[values + 1], levels = levels) else values
}
people <- as.data.frame(people)
covariates <- setdiff(columns$name, c("followup_years", "event"))
formula <- as.formula(paste("Surv(followup_years, event) ~", paste(covariates, collapse = " + ")))
spent <- system.time(fit <- coxph(formula, data = people, ties = "efron"))
beta <- coef(fit)
write.csv(
  data.frame(term = c("seconds", "processor_seconds", names(beta)),
             value = sprintf("%.17g", c(spent[["elapsed"]], spent[["user.self"]] + spent[["sys.self"]], beta))),
  file.path(folder, "result.csv"), row.names = FALSE
)
cat(as.character(packageVersion("survival")), "\n")
