//! PostgreSQL resources: roles, databases cloned from templates, grants.
