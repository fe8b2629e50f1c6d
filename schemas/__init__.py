"""The contracts: tables, views, validation rules, reason codes, cohorts. Data and declarations, hardly any code."""
