//! Tables: a line under the titles, and no other.

use comfy_table::{CellAlignment, ContentArrangement, Table};

/// The look of every table.
pub(super) const LOOK: &str = "     ──            ";

/// A table as text; `numbers` are the columns that stand to the right.
pub(crate) fn table(
    titles: &[&str],
    numbers: &[usize],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(LOOK).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let right = numbers.contains(&index);
        column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}
