"""nlp-coder: reads clinical notes and proposes ICD-10-CM codes with the words they rest on."""
