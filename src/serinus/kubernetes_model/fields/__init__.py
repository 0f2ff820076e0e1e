"""Who owns which field: field sets, server-side apply, `managedFields`."""
