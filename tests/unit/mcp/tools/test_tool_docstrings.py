"""What docstrings say about parameters."""

import pytest

from agents_runtime.mcp.tools.docstrings import parameters_of, summary_of

GOOGLE = """Find an order,
    wherever it is.

    It may take long.

    Args:
        order_id (str): the number on the receipt,
            without the dash
        region: where to look
        **more: nothing
    Returns:
        the order: all of it
    """
NUMPY = """Find an order.

    Parameters
    ----------
    order_id : str
        the number on the receipt,
        without the dash
    region
        where to look

    Returns
    -------
    dict
        the order
    """
SPHINX = """Find an order.

    :param str order_id: the number on the receipt,
        without the dash
    :param region: where to look
    :returns: the order
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_parameters_in_each_style(docstring):
    found = parameters_of(docstring)
    found.pop("more", None)
    assert found == {"order_id": "the number on the receipt, without the dash", "region": "where to look"}


def test_the_summary_is_the_first_paragraph_on_one_line():
    assert summary_of(GOOGLE) == "Find an order, wherever it is."
    assert summary_of(None) is None
    assert summary_of("  ") is None


def test_a_docstring_without_parameters():
    assert parameters_of("Find an order: any.") == {}
    assert parameters_of(None) == {}
