"""What somebody who runs the service can mend."""


class CoreError(ValueError):
    """The service cannot start or do what it was told; says why and what would be right."""


class DatabaseUnreachable(CoreError):
    """The database is away, starting or recovering: trying again may help."""
