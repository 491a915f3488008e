"""How fast notes are coded, beside medspaCy as shipped: `vigil bench text`."""
