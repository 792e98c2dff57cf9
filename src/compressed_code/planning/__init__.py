"""What a run would take before anything is downloaded: tensors, bytes and hours of models that are not here."""
