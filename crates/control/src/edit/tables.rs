//! Finding and making tables in the text.

use api::Refusal;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

use super::not_found;

/// The list of tables at `path`, made if it is not there. A list that is written in one line is written as tables from
/// now on.
pub(super) fn list<'d>(document: &'d mut DocumentMut, path: &[&str]) -> Option<&'d mut ArrayOfTables> {
    let (name, parents) = path.split_last()?;
    let mut table = document.as_table_mut();
    for parent in parents {
        table = table.entry(parent).or_insert_with(|| implicit().into()).as_table_mut()?;
    }
    let item = table.entry(name).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if item.as_array_of_tables().is_none() {
        *item = std::mem::take(item)
            .into_array_of_tables()
            .map_or_else(|_| Item::ArrayOfTables(ArrayOfTables::new()), Item::ArrayOfTables);
    }
    item.as_array_of_tables_mut()
}

/// A table that has no heading of its own.
pub(super) fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

/// The table's `name`.
pub(super) fn name_of(table: &dyn TableLike) -> &str {
    text_of(table, "name").unwrap_or_default()
}

/// A field's text.
pub(super) fn text_of<'t>(table: &'t dyn TableLike, field: &str) -> Option<&'t str> {
    table.get(field).and_then(Item::as_str)
}

/// Where the table called `name` is in its list.
pub(super) fn place_of(list: &ArrayOfTables, name: &str) -> Option<usize> {
    list.iter().position(|table| name_of(table) == name)
}

/// The names of a list's tables.
pub(super) fn names(list: &ArrayOfTables) -> Vec<String> {
    list.iter().map(|table| name_of(table).to_owned()).collect()
}

/// The tenant called `name`.
pub(super) fn tenant<'d>(document: &'d mut DocumentMut, name: &str) -> Result<&'d mut Table, Refusal> {
    let missing = |known: &[String]| not_found("tenant", name, known);
    let Some(list) = list(document, &["tenant"]) else { return Err(missing(&[])) };
    let known = names(list);
    let place = place_of(list, name);
    place.and_then(|place| list.get_mut(place)).ok_or_else(|| missing(&known))
}

/// The table `name` of a table, made if it is not there. A table that is written in one line stays so.
pub(super) fn table<'t>(parent: &'t mut dyn TableLike, name: &str) -> Option<&'t mut dyn TableLike> {
    let has_none = parent.get(name).is_none_or(Item::is_none);
    if has_none {
        parent.insert(name, implicit().into());
    }
    parent.get_mut(name).and_then(Item::as_table_like_mut)
}

/// Sets a field, keeping what is written around its value.
pub(super) fn set(table: &mut dyn TableLike, field: &str, value: impl Into<Value>) {
    let mut value = value.into();
    if let Some(old) = table.get_mut(field).and_then(Item::as_value_mut) {
        *value.decor_mut() = old.decor().clone();
        *old = value;
    } else {
        table.insert(field, Item::Value(value));
    }
}

/// A list of values; a long one has a line for each.
pub(super) fn array(values: impl IntoIterator<Item = Value>) -> Array {
    /// As many characters as a line of the file should have.
    const LINE_CHARS_MAX: usize = 100;
    let mut array: Array = values.into_iter().collect();
    if array.to_string().len() > LINE_CHARS_MAX {
        for value in array.iter_mut() {
            value.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}

/// Puts a new table at the end of the list, with a blank line before it.
pub(super) fn push(list: &mut ArrayOfTables, mut table: Table) {
    table.decor_mut().set_prefix("\n");
    list.push(table);
}
