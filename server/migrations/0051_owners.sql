-- Who runs the platform is told of what waits for them, so they are found by their role.
CREATE INDEX account_role_role ON account_role (tenant_id, role, account_id);
