"""Music: pieces as piano rolls."""
