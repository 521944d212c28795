"""The packages that the Pyodide distribution builds for Workers with Python 3.14, by normalised name.

Taken from the `pyodide-lock.json` of the version that `tests/workerd` pins; a test compares them.
"""

from __future__ import annotations

_NAMES = """
affine aiohappyeyeballs aiohttp aiosignal altair annotated-doc annotated-types anyio argon2-cffi
argon2-cffi-bindings astropy astropy-iers-data asttokens async-timeout atomicwrites attrs audioop-lts b2d
bcrypt beautifulsoup4 bilby-cython biopython bitarray bitstring bleach bokeh boost-histogram bottleneck
brotli cachetools cartopy casadi cbor-diag certifi cffi cffi-example cftime charset-normalizer clarabel
click cligj clingo cloudpickle cmyt cobs colorspacious contourpy coolprop coverage crc32c crcmod
cryptography cssselect cvxpy-base cycler cysignals cytoolz decorator demes deprecated deprecation diskcache
distlib distro dnspython docutils donfig duckdb ewah-bool-utils exceptiongroup executing fastapi fiona
fonttools freesasa frozenlist fsspec future galpy geopandas gmpy2 google-crc32c h11 h3 h5py healpy highspy
html5lib httpcore httpx idna igraph imageio iminuit iniconfig inspice ipython jedi jinja2 jiter joblib
jsonpatch jsonpointer jsonschema jsonschema-specifications kiwisolver lakers-python lazy-loader
lazy-object-proxy libcst librt lightgbm logbook lxml lz4 markupsafe matplotlib matplotlib-inline
memory-allocator micropip ml-dtypes mmh3 more-itertools mpmath msgpack msgspec msprime multidict munch mypy
mysqlclient narwhals ndindex netcdf4 networkx newick nh3 nlopt nltk numcodecs numpy openai opencv-python
optlang orjson packaging pandas parso patsy pcodec peewee phispy pi-heif pillow pillow-heif pkgconfig
platformdirs pluggy ply polars prompt-toolkit propcache protobuf psycopg psycopg-c pure-eval py pyarrow
pyclipper pycparser pycryptodome pydantic pydantic-core pydoc-data pyerfa pygame-ce pygments pyheif
pyiceberg pyinstrument pymongo pymupdf pynacl pyodide-http pyodide-unix-timezones pyparsing pyproj pyroaring
pyrodigal pyrsistent pysam pyshp pytaglib pytest pytest-asyncio pytest-benchmark pytest-httpx
python-calamine python-dateutil python-flirt python-sat python-solvespace pytz pywavelets pyxirr pyyaml
rasterio rateslib rebound reboundx referencing regex requests retrying rich rpds-py ruamel-yaml safetensors
scikit-image scikit-learn scipy screed sentencepiece setuptools shapely simplejson sisl six smart-open
sniffio sortedcontainers soundfile soupsieve sourmash soxr sparseqr sqlalchemy stack-data starlette
statsmodels strictyaml svgwrite swiglpk sympy tblib termcolor texttable texture2ddecoder threadpoolctl
tiktoken tomli tomli-w toolz tqdm traitlets traits tree-sitter tree-sitter-go tree-sitter-java
tree-sitter-python tskit typing-extensions typing-inspection tzdata ujson uncertainties unyt urllib3
vega-datasets vrplib wcwidth webencodings wordcloud wrapt xarray xgboost xlrd xxhash xyzservices yarl yt
zarr zengl zfpy zstandard
"""

PYODIDE_PACKAGES = frozenset(_NAMES.split())

PURE_ELSEWHERE = frozenset({"websockets"})
"""Compiled for this machine, with a pure wheel on PyPI for every other."""
