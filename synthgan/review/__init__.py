"""The evidence that lets a table leave the building: gates, report and release bundle."""
