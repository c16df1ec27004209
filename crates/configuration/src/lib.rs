//! Where limits come from: ConfigurationService, policies as JSON, in memory and from a file.
