use super::*;

/// Every product with a list price costs 100 BRL, so that a unit price is a ratio in percent.
fn catalog() -> Vec<CatalogRecord> {
    let mut lines = vec![
        r#"{"kind":"brand","brand_id":"lumora","name":"Lumora","authorised_sellers":[{"seller_id":"S-1","territories":["BR"]}]}"#.to_owned(),
        r#"{"kind":"brand","brand_id":"veltrano","name":"Veltrano"}"#.to_owned(),
        r#"{"kind":"product","brand_id":"nobody","product_id":"X","title":"Orphan"}"#.to_owned(),
        r#"{"kind":"product","brand_id":"veltrano","product_id":"VT-1","title":"Corsa 1 white"}"#.to_owned(),
    ];
    lines.extend((1..=8).map(|i| {
        format!(
            r#"{{"kind":"product","brand_id":"lumora","product_id":"LM-{i}","title":"Cartucho Lumora {i}",
            "list_price":{{"amount":"100.00","currency":"BRL"}},"images":[{{"url":"images/{i}.jpg"}}]}}"#
        )
    }));
    lines.iter().map(|line| CatalogRecord::from_json(line.as_bytes()).unwrap()).collect()
}

fn settings(seed: u64) -> MarketSettings {
    MarketSettings { seed, ..MarketSettings::default() }
}

fn market(seed: u64) -> Market {
    simulate(&catalog(), &settings(seed), None).unwrap()
}

fn bytes(market: &Market) -> String {
    let lines =
        market.listings.iter().zip(&market.labels).map(|(l, label)| format!("{} {label:?}\n", l.to_json()));
    lines.collect()
}

fn some_rows(seed: u64) -> Vec<Row> {
    let catalog = catalog();
    let mut draw = Draw::new(ChaCha8Rng::seed_from_u64(seed));
    let catalog = completed(&catalog, &mut draw);
    let goods = goods(&catalog);
    rows(&goods, &MarketSettings { n_listings: 20_000, ..settings(seed) }, None, &mut draw)
}

/// Unit prices over list prices, ascending, of the listings whose behaviour passes `keep`.
fn ratios(rows: &[Row], keep: impl Fn(Behaviour) -> bool) -> Vec<f64> {
    let hundred = touchstone_types::Money::parse("100.00", "BRL").unwrap();
    let mut found: Vec<f64> = rows
        .iter()
        .filter(|row| keep(row.behaviour))
        .filter(|row| row.listing.price.is_some_and(|price| price.currency() == hundred.currency()))
        .filter_map(|row| row.listing.price?.per_unit(row.pack_size).ratio(&hundred))
        .collect();
    found.sort_by(f64::total_cmp);
    found
}

fn share<T>(items: &[T], keep: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| keep(item)).count() as f64 / items.len() as f64
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_another_market() {
    assert_eq!(bytes(&market(5)), bytes(&market(5)));
    assert_ne!(bytes(&market(5)), bytes(&market(6)));
}

#[test]
fn the_order_of_the_catalog_does_not_matter() {
    let mut shuffled = catalog();
    shuffled.reverse();
    shuffled.push(shuffled[2].clone());
    let other = simulate(&shuffled, &settings(5), None).unwrap();
    assert_eq!(bytes(&other), bytes(&market(5)));
}

/// Pins the bytes themselves, so that a change of platform, crate or code is seen; renew it when the market is changed on purpose.
#[test]
fn the_first_listing_is_this_one() {
    let market = market(1);
    let first =
        format!("{} {:?} {}", market.listings[0].title, market.listings[0].price, market.labels[0].behaviour);
    assert_eq!(
        first,
        "Veltrano Corsa 1 white original Some(Money { amount: 63.90, currency: USD }) reseller"
    );
}

#[test]
fn a_quarter_of_the_counterfeiters_price_inside_the_honest_quartiles() {
    for seed in 1..=3 {
        let rows = some_rows(seed);
        let honest = ratios(&rows, |b| !b.is_counterfeit());
        let (low, high) = (honest[honest.len() / 4], honest[honest.len() * 3 / 4]);
        let fakes = ratios(&rows, Behaviour::is_counterfeit);
        let inside = share(&fakes, |r| (low..=high).contains(r));
        assert!((0.25..=0.6).contains(&inside), "{inside} within {low} to {high}");
    }
}

#[test]
fn one_in_twenty_honest_sellers_of_new_goods_asks_less_than_half() {
    let other_goods =
        [Behaviour::SecondHand, Behaviour::Compatible, Behaviour::PrivateLabel, Behaviour::MultiFit];
    for seed in 1..=3 {
        let rows = some_rows(seed);
        let honest = ratios(&rows, |b| !b.is_counterfeit() && !other_goods.contains(&b));
        let cheap = share(&honest, |r| *r < 0.5);
        assert!((0.04..=0.07).contains(&cheap), "{cheap}");
    }
}

#[test]
fn shares_of_counterfeits_and_wrong_labels_are_as_set() {
    let settings = MarketSettings { n_listings: 20_000, ..settings(3) };
    let market = simulate(&catalog(), &settings, None).unwrap();
    let truth = simulate(&catalog(), &MarketSettings { wrong_label_share: 0.0, ..settings }, None).unwrap();
    assert_eq!(market.listings, truth.listings, "labels change nothing else");
    let fakes = share(&truth.labels, |label| label.label);
    assert!((0.025..=0.035).contains(&fakes), "{fakes}");
    let wrong = market.labels.iter().zip(&truth.labels).filter(|(a, b)| a.label != b.label).count();
    let wrong = wrong as f64 / market.labels.len() as f64;
    assert!((0.017..=0.023).contains(&wrong), "{wrong}");
    assert!(market.labels.iter().all(|label| (1..=8).contains(&label.week)));
    for behaviour in Behaviour::ALL {
        let of_it = |label: &&Label| label.behaviour == behaviour.as_str();
        let says = |label: &Label| label.label == behaviour.is_counterfeit();
        let found: Vec<&Label> = truth.labels.iter().filter(of_it).collect();
        assert!(!found.is_empty(), "{behaviour:?}");
        let baits = *behaviour == Behaviour::BaitAndSwitch;
        assert!(found.iter().all(|label| if baits {
            label.label == (label.version == 2)
        } else {
            says(label)
        }));
    }
}

#[test]
fn a_catalog_is_completed_but_never_contradicted() {
    let market = market(2);
    assert_eq!(market.catalog.len(), catalog().len());
    for record in &market.catalog {
        match record {
            CatalogRecord::Product(product) => {
                let price = product.list_price.expect("every product costs something");
                let given = product.brand_id.as_str() == "lumora";
                assert!(!given || price == touchstone_types::Money::parse("100.00", "BRL").unwrap());
            }
            CatalogRecord::Brand(brand) if brand.brand_id.as_str() == "lumora" => {
                assert_eq!(brand.authorised_sellers.len(), 1);
            }
            _ => {}
        }
    }
}

#[test]
fn what_is_put_up_again_is_an_earlier_offer_under_another_number_and_account() {
    let rows = some_rows(2);
    let again: Vec<&Row> = rows.iter().filter(|row| row.behaviour == Behaviour::Reupload).collect();
    let copies = again.iter().filter(|row| {
        rows.iter().any(|other| {
            other.listing.title == row.listing.title
                && other.listing.listing_id != row.listing.listing_id
                && other.listing.seller.seller_id != row.listing.seller.seller_id
        })
    });
    assert!(copies.count() * 10 >= again.len() * 9 && again.len() > 20, "{}", again.len());
}

#[test]
fn a_retouched_photo_is_a_picture_of_the_expected_size() {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8 * 4, y as u8 * 6, 0]))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let png = png.into_inner();
    for (retouch, size) in [
        (Retouch::None, (60, 40)),
        (Retouch::Mirror, (60, 40)),
        (Retouch::Crop, (48, 32)),
        (Retouch::Frame, (70, 50)),
        (Retouch::Blur, (60, 40)),
        (Retouch::Banner, (60, 40)),
    ] {
        let bytes = retouch.apply(&png).unwrap();
        let read = image::load_from_memory(&bytes).unwrap();
        assert_eq!((read.width(), read.height()), size, "{retouch:?}");
        assert_eq!(bytes == png, retouch == Retouch::None);
    }
    assert_eq!(Retouch::Mirror.apply(b"no picture"), None);
}

type Fact<'a> = &'a dyn Fn(&Row) -> Option<f64>;

#[test]
fn facts_of_sellers_overlap() {
    let rows = some_rows(2);
    let age = |row: &Row| -> Option<f64> {
        let seller = &row.listing.seller;
        Some((row.listing.observed_at?.as_second() - seller.created_at?.as_second()) as f64)
    };
    let facts: [Fact<'_>; 4] = [
        &age,
        &|row| row.listing.seller.rating.map(|r| r.get()),
        &|row| row.listing.seller.sales_count.map(|n| n as f64),
        &|row| row.listing.seller.prior_takedowns.map(|n| n as f64),
    ];
    for (idx, fact) in facts.iter().enumerate() {
        let of = |counterfeit: bool| {
            let mut values: Vec<f64> = rows
                .iter()
                .filter(|r| r.behaviour.is_counterfeit() == counterfeit)
                .filter_map(fact)
                .collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (honest, fake) = (of(false), of(true));
        // The middle half of neither lies wholly beyond the middle half of the other.
        let quartiles = |v: &[f64]| (v[v.len() / 4], v[v.len() * 3 / 4]);
        let ((a, b), (c, d)) = (quartiles(&honest), quartiles(&fake));
        assert!(a <= d && c <= b, "fact {idx}: {a} to {b} against {c} to {d}");
    }
}

#[test]
fn photos_come_from_the_source_alone_and_change_nothing_else() {
    let source =
        |image: &ReferenceImage, _| Some(ListingImage { url: image.url.clone(), ..ListingImage::default() });
    let with = simulate(&catalog(), &settings(5), Some(&source)).unwrap();
    let mut without = with.clone();
    without.listings.iter_mut().for_each(|listing| listing.images.clear());
    assert_eq!(without, market(5));
    let shown = share(&with.listings, |listing| !listing.images.is_empty());
    assert!((0.3..=0.7).contains(&shown), "{shown}");
}

#[test]
fn what_cannot_be_simulated_is_said() {
    let check = |settings: MarketSettings, expected: &str| {
        assert_eq!(simulate(&catalog(), &settings, None).unwrap_err().to_string(), expected);
    };
    check(MarketSettings { weeks: 0, ..settings(1) }, "weeks is 0, but must be 1 to 520");
    check(MarketSettings { weeks: 521, ..settings(1) }, "weeks is 521, but must be 1 to 520");
    check(MarketSettings { n_listings: 0, ..settings(1) }, "n_listings is 0, but must be at least 1");
    check(
        MarketSettings { counterfeit_share: f64::NAN, ..settings(1) },
        "counterfeit_share is NaN, but must be 0 to 1",
    );
    assert!(matches!(simulate(&catalog()[..3], &settings(1), None), Err(EvalError::NoProducts)));
}

#[test]
fn only_authorised_sellers_carry_the_names_of_the_list() {
    for row in some_rows(4) {
        let seller = row.listing.seller.seller_id.as_str();
        let listed = seller == "S-1" || seller.starts_with("D-");
        assert_eq!(listed, row.behaviour == Behaviour::Authorised);
        assert!(seller != "S-1" || row.listing.seller.country.as_deref() == Some("BR"));
    }
}
