CREATE OR REPLACE VIEW fahr.granted_cohort WITH (security_barrier = true) AS
SELECT DISTINCT given.cohort
FROM fahr.cohort_grant_v1 AS given
JOIN pg_catalog.pg_roles AS role ON role.rolname = given.grantee
WHERE pg_has_role(current_user, role.oid, 'USAGE');
COMMENT ON VIEW fahr.granted_cohort IS 'The cohorts whose persons you may see. Empty: none.';
