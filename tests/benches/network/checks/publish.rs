use crate::publish::Part;

const PART: Part = Part { name: "network benchmark" };

#[test]
fn the_table_takes_the_place_of_the_last_one() {
    let readme = "above\n\
                  <!-- network benchmark: written by --publish -->\n\
                  | old |\n\
                  <!-- end of network benchmark -->\n\
                  below\n";
    let once = PART.replaced(readme, "| new |\n").unwrap();
    assert_eq!(once, readme.replace("old", "new"));
    assert_eq!(PART.replaced(&once, "| new |\n").unwrap(), once);
}

#[test]
fn a_page_without_a_place_for_it_is_refused() {
    assert_eq!(PART.replaced("nothing\n", "| new |\n"), None);
}
