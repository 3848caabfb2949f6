"""Prints, as a JSON object, what a strict validator finds wrong in the OpenAPI document at a URL.

Usage: python check_openapi.py URL
"""

import json
import sys
import urllib.request

from openapi_spec_validator import OpenAPIV30SpecValidator

with urllib.request.urlopen(sys.argv[1]) as answer:
    document = json.load(answer)
faults = [f"{'/'.join(map(str, fault.path))}: {fault.message[:200]}" for fault in OpenAPIV30SpecValidator(document).iter_errors()]
print(json.dumps({"version": document["openapi"], "paths": len(document["paths"]), "faults": faults}))
