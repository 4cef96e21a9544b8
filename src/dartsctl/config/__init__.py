"""Settings, environments, env files, certificates, templates."""
