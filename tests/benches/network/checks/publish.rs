use crate::publish::with_results;

#[test]
fn the_table_takes_the_place_of_the_last_one() {
    let readme = "above\n\
                  <!-- network benchmark: written by --publish -->\n\
                  | old |\n\
                  <!-- end of network benchmark -->\n\
                  below\n";
    let once = with_results(readme, "| new |\n").unwrap();
    assert_eq!(once, readme.replace("old", "new"));
    assert_eq!(with_results(&once, "| new |\n").unwrap(), once);
}

#[test]
fn a_readme_without_a_place_for_it_is_refused() {
    assert_eq!(with_results("nothing\n", "| new |\n"), None);
}
