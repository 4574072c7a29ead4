//! What usage will cost, by the arithmetic that the server bills with.

use std::collections::BTreeMap;

use mintreu::price::{self, Ask, AskedCharge, AskedCredit, Burned, Line, Tariff, Usage};
use mintreu::{Clock as _, SystemClock};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyType};

use crate::value::{Moment, raised};

fn decimal_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "decimal", "Decimal")
}

/// A quantity or an amount: an `int`, a `Decimal` or a decimal `str`; never a `float`.
#[derive(Clone)]
pub struct Exact(pub String);

impl<'py> FromPyObject<'_, 'py> for Exact {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = given.py();
        if given.is_instance_of::<PyString>() {
            return Ok(Self(given.extract()?));
        }
        if given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>() {
            return Ok(Self(given.str()?.to_string()));
        }
        if given.is_instance(decimal_type(py)?)? {
            let plain = given.call_method1("__format__", ("f",))?;
            return Ok(Self(plain.extract()?));
        }
        let hint = match given.is_instance_of::<PyFloat>() {
            true => "a float isn't exact: give an int, a Decimal or a str",
            false => "give an int, a Decimal or a str",
        };
        Err(PyTypeError::new_err(hint))
    }
}

/// A decimal text as Python's `Decimal`.
#[derive(Clone)]
pub struct Decimal(String);

impl<'py> IntoPyObject<'py> for Decimal {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        decimal_type(py)?.call1((self.0,))
    }
}

/// One meter of a bill.
#[pyclass(frozen, module = "mintreu", from_py_object)]
#[derive(Clone)]
pub struct Charge {
    asked: AskedCharge,
}

#[pymethods]
impl Charge {
    #[new]
    #[pyo3(signature = (name, tariff, quantity=None, *, transactions=None, each=None, cells=None))]
    fn new(
        name: String,
        tariff: String,
        quantity: Option<Exact>,
        transactions: Option<u64>,
        each: Option<Vec<Exact>>,
        cells: Option<Vec<(BTreeMap<String, String>, Exact)>>,
    ) -> Self {
        let cells = cells.unwrap_or_default().into_iter();
        let each = each.unwrap_or_default().into_iter();
        Self {
            asked: AskedCharge {
                name,
                tariff,
                quantity: quantity.map(|exact| exact.0),
                transactions,
                each: each.map(|exact| exact.0).collect(),
                cells: cells
                    .map(|(dimensions, exact)| (dimensions.into_iter().collect(), exact.0))
                    .collect(),
            },
        }
    }

    fn __repr__(&self) -> String {
        format!("<Charge {}: {}>", self.asked.name, self.asked.tariff)
    }
}

/// Something paid before it is used: an amount of money, or units of a charge.
#[pyclass(frozen, module = "mintreu", from_py_object)]
#[derive(Clone)]
pub struct Credit {
    asked: AskedCredit,
}

#[pymethods]
impl Credit {
    #[new]
    #[pyo3(signature = (
        id, *, amount=None, units=None, charge=None, priority=0, expires_at=None, created_at=None
    ))]
    fn new(
        id: String,
        amount: Option<Exact>,
        units: Option<Exact>,
        charge: Option<String>,
        priority: u32,
        expires_at: Option<Moment>,
        created_at: Option<Moment>,
    ) -> Self {
        Self {
            asked: AskedCredit {
                id,
                amount: amount.map(|exact| exact.0),
                units: units.map(|exact| exact.0),
                charge,
                priority,
                expires_at: expires_at.map(|at| at.0),
                created_at: created_at.map(|at| at.0),
            },
        }
    }

    fn __repr__(&self) -> String {
        format!("<Credit {}>", self.asked.id)
    }
}

/// An exact amount of money.
#[pyclass(frozen, get_all, module = "mintreu")]
#[derive(Clone)]
pub struct Money {
    minor: i64,
    currency: String,
    amount: Decimal,
    text: String,
}

impl From<mintreu::Money> for Money {
    fn from(money: mintreu::Money) -> Self {
        let text = money.to_string();
        let amount = text.split(' ').next().unwrap_or_default().to_owned();
        Self {
            minor: money.minor(),
            currency: money.currency().code().to_owned(),
            amount: Decimal(amount),
            text,
        }
    }
}

#[pymethods]
impl Money {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<Money {}>", self.text)
    }
}

/// One line of a bill.
#[pyclass(frozen, get_all, module = "mintreu")]
#[derive(Clone)]
pub struct BillLine {
    charge: Option<String>,
    kind: &'static str,
    quantity: Decimal,
    unit: Option<Decimal>,
    amount: Money,
    text: String,
}

impl BillLine {
    fn new(charge: Option<String>, line: &Line) -> Self {
        let currency = line.amount.currency();
        Self {
            charge,
            kind: line.kind.name(),
            quantity: Decimal(line.quantity.to_string()),
            unit: line.unit.map(|unit| Decimal(unit.to_text(currency))),
            amount: line.amount.into(),
            text: line.explain(),
        }
    }
}

#[pymethods]
impl BillLine {
    fn __repr__(&self) -> String {
        format!("<BillLine {}>", self.text)
    }
}

/// A priced quantity: the lines add up to the total exactly.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct Rated {
    total: Money,
    lines: Vec<BillLine>,
}

/// What a bill took of a credit.
#[pyclass(frozen, get_all, module = "mintreu")]
#[derive(Clone)]
pub struct Burn {
    credit: String,
    charge: Option<String>,
    units: Option<Decimal>,
    amount: Option<Money>,
}

impl From<price::Burn> for Burn {
    fn from(burn: price::Burn) -> Self {
        let (charge, units, amount) = match burn.of {
            Burned::Units { charge, units } => {
                (Some(charge), Some(Decimal(units.to_string())), None)
            }
            Burned::Money(paid) => (None, None, Some(paid.into())),
        };
        Self {
            credit: burn.credit,
            charge,
            units,
            amount,
        }
    }
}

/// A priced period: the lines add up to the total exactly.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct Bill {
    cost: Money,
    total: Money,
    lines: Vec<BillLine>,
    burns: Vec<Burn>,
}

/// Prices a quantity by a tariff such as `EUR per_unit 0.0004; free 1000`.
#[pyfunction]
#[pyo3(name = "price")]
pub fn price_of(tariff: &str, quantity: Exact) -> PyResult<Rated> {
    let rated = || {
        let tariff: Tariff = tariff.parse()?;
        let used = Usage::Total(quantity.0.parse()?);
        price::rate_usage(&tariff, &used, price::Quantity::ZERO)
    };
    let rated = rated().map_err(raised)?;
    let lines = rated.lines.iter().map(|line| BillLine::new(None, line));
    Ok(Rated {
        total: rated.total.into(),
        lines: lines.collect(),
    })
}

/// Prices a period: its charges, a commitment over all of them, and the credits that pay first.
#[pyfunction]
#[pyo3(signature = (charges, *, credits=Vec::new(), commitment=None, share=None, at=None))]
pub fn bill(
    charges: Vec<Charge>,
    credits: Vec<Credit>,
    commitment: Option<Exact>,
    share: Option<(u64, u64, u64)>,
    at: Option<Moment>,
) -> PyResult<Bill> {
    let ask = Ask {
        charges: charges.into_iter().map(|charge| charge.asked).collect(),
        credits: credits.into_iter().map(|credit| credit.asked).collect(),
        commitment: commitment.map(|exact| exact.0),
        share,
    };
    let at = at.map_or_else(|| SystemClock.now(), |at| at.0);
    let bill = ask.bill(at).map_err(raised)?;
    let lines = bill.lines.into_iter();
    Ok(Bill {
        cost: bill.cost.into(),
        total: bill.total.into(),
        lines: lines
            .map(|line| BillLine::new(line.charge, &line.line))
            .collect(),
        burns: bill.burns.into_iter().map(Burn::from).collect(),
    })
}
