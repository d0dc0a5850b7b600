"""What a recovery does: facts before -> do -> facts after -> proof -> verify."""
