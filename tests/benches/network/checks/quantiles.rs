use crate::load::quantiles::Quantiles;

fn quantiles(values: impl IntoIterator<Item = u64>) -> Option<[u128; 3]> {
    let found = Quantiles::of(values.into_iter().collect())?;
    Some([found.p50, found.p99, found.p999].map(|quantile| quantile.as_nanos()))
}

#[test]
fn nearest_ranks() {
    assert_eq!(quantiles((1..=1000).rev()), Some([500, 990, 999]));
    assert_eq!(quantiles(1..=100), Some([50, 99, 100]));
    assert_eq!(quantiles(1..=5), Some([3, 5, 5]));
    assert_eq!(quantiles([7]), Some([7, 7, 7]));
}

#[test]
fn one_slow_answer_in_a_thousand_and_one_is_in_none_of_them() {
    let values = (0..1000).map(|_| 5).chain([1_000_000]);
    assert_eq!(quantiles(values), Some([5, 5, 5]));
    let values = (0..998).map(|_| 5).chain([1_000_000; 2]);
    assert_eq!(quantiles(values), Some([5, 5, 1_000_000]));
}

#[test]
fn nothing_has_none() {
    assert_eq!(quantiles([]), None);
}
