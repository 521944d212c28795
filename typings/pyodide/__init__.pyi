# Pyodide, which exists on Workers only.
