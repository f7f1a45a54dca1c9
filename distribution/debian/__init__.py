"""What a Debian package has besides modules: settings, manual, copyright, scripts of dpkg."""
