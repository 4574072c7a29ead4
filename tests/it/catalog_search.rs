//! The catalog as sellers write it and visitors find it: the same on both engines.

use mintreu::id::AccountId;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog::model::{
    Kind, Listing, PriceBand, Product, ProductDraft, SearchQuery, Sort, State,
};
use mintreu_server::domains::catalog::ops::{
    AddCategory, ArchiveProduct, CatalogError, CreateProduct, OpenShop, ProductAt, PublishProduct,
    UpdateProduct, add_category, archive_product, create_product, listing, open_shop, product_at,
    publish_product, search, update_product,
};
use mintreu_server::store::{Attempt, Tx};
use mintreu_tests::TestApp;

fn developer(test: &TestApp, number: u8) -> Caller {
    Caller {
        tenant: test.tenant(),
        account: Some(AccountId::from_bytes([number; 16])),
        roles: vec![Role::Developer],
    }
}

async fn shop(test: &TestApp, number: u8) -> Caller {
    let caller = developer(test, number);
    let command = OpenShop {
        name: format!("Shop {number}"),
        about: String::new(),
    };
    test.app
        .transact(&caller, command, open_shop)
        .await
        .expect("the shop opens");
    caller
}

async fn tree(test: &TestApp) {
    for (path, name) in [
        ("design", "Design"),
        ("design/images", "Images"),
        ("data", "Data"),
    ] {
        let (path, name) = (path.to_owned(), name.to_owned());
        let command = AddCategory { path, name };
        test.app
            .transact(&test.system(), command, add_category)
            .await
            .expect("a category");
    }
}

fn draft(name: &str, summary: &str, description: &str) -> ProductDraft {
    // Any name has a code of its own, whatever its script.
    let code: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let value = serde_json::json!({
        "code": format!("shop.{}", &code[..code.len().min(60)]), "kind": "download", "name": name, "summary": summary,
        "description": description, "categories": ["design/images"],
        "prices": [{"model": "one_time", "amount_minor": 4900, "currency": "EUR"}],
    });
    serde_json::from_value(value).expect("a draft")
}

async fn publish(test: &TestApp, caller: &Caller, draft: ProductDraft) -> Product {
    let product = test
        .app
        .transact(caller, CreateProduct { draft }, create_product)
        .await;
    let product = product.expect("it is created").id;
    let published = test
        .app
        .transact(caller, PublishProduct { product }, publish_product)
        .await;
    published.expect("it is published")
}

async fn found(test: &TestApp, text: &str) -> Vec<String> {
    found_by(
        test,
        SearchQuery {
            text: text.into(),
            ..SearchQuery::default()
        },
    )
    .await
}

async fn found_by(test: &TestApp, query: SearchQuery) -> Vec<String> {
    let page = test
        .app
        .read(&test.guest(), query, search)
        .await
        .expect("a page");
    page.items.into_iter().map(|card| card.name).collect()
}

#[tokio::test]
async fn golden_searches_are_the_same_on_both_engines() {
    TestApp::both(async |test| {
        tree(test).await;
        let seller = shop(test, 1).await;
        for (name, summary, description) in [
            (
                "Raster",
                "An editor for images",
                "Layers, masks and curves.",
            ),
            ("Image Editor", "Draws", "For everyone."),
            ("Image Editor Pro", "Draws more", "For studios."),
            (
                "Études de café",
                "Recettes",
                "Un éditeur d'images n'est pas un café.",
            ),
            ("Batch", "Renames files", "Works beside any image editor."),
            ("画像編集", "写真を編集するソフト", "色を直す"),
            ("c++filt", "Demangles", "For C++ and C#."),
            ("Imagery", "Satellite pictures", "Maps."),
        ] {
            publish(test, &seller, draft(name, summary, description)).await;
        }
        for (text, expected) in [
            (
                "image editor",
                &["Image Editor", "Image Editor Pro", "Raster", "Batch"][..],
            ),
            (
                "IMAGES editors",
                &["Image Editor", "Image Editor Pro", "Raster", "Batch"],
            ),
            ("image editor pro", &["Image Editor Pro"]),
            ("cafe", &["Études de café"]),
            ("etude CAFÉ", &["Études de café"]),
            ("編集", &["画像編集"]),
            ("画像 編集", &["画像編集"]),
            ("色", &["画像編集"]),
            ("c++", &["c++filt"]),
            ("image ed", &["Image Editor", "Image Editor Pro"]),
            ("satel", &[]),
            ("editor satellite", &[]),
            ("\" OR 1=1 --", &[]),
            ("'; DROP", &[]),
            ("", &[]),
            ("*", &[]),
        ] {
            let mut names = found(test, text).await;
            if text == "image ed" {
                names.truncate(2);
            }
            assert_eq!(names, expected, "{text:?}");
        }
        let broad = found(test, "for").await;
        assert!(broad.len() >= 3, "{broad:?}");
    })
    .await;
}

#[tokio::test]
async fn searches_are_narrowed_and_paged_without_losing_anything() {
    TestApp::both(async |test| {
        tree(test).await;
        let seller = shop(test, 1).await;
        for number in 0..7 {
            let mut draft = draft(&format!("Tool {number}"), "A tool", "");
            if number % 2 == 0 {
                draft.kind = Kind::Api;
                draft.categories = vec!["data".into()];
                draft.prices[0].amount_minor = 500;
            }
            publish(test, &seller, draft).await;
        }
        let mut query = SearchQuery {
            text: "tool".into(),
            limit: 3,
            ..SearchQuery::default()
        };
        let mut names = Vec::new();
        loop {
            let page = test
                .app
                .read(&test.guest(), query.clone(), search)
                .await
                .expect("a page");
            assert_eq!((page.total, page.total_is_floor), (7, false));
            names.extend(page.items.into_iter().map(|card| card.name));
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        let expected: Vec<String> = (0..7).map(|number| format!("Tool {number}")).collect();
        assert_eq!(names, expected);
        let cheap = SearchQuery {
            text: "tool".into(),
            band: Some(PriceBand::Under10),
            kind: Some(Kind::Api),
            ..SearchQuery::default()
        };
        assert_eq!(found_by(test, cheap.clone()).await.len(), 4);
        let page = test
            .app
            .read(&test.guest(), cheap.clone(), search)
            .await
            .expect("a page");
        // The kind's facet ignores the chosen kind, but not the chosen band.
        assert_eq!(page.facets.kinds.len(), 1);
        assert_eq!(page.facets.categories[0].category.path, "data");
        let elsewhere = SearchQuery {
            category: "design".into(),
            ..cheap
        };
        assert!(found_by(test, elsewhere).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn listings_page_through_everything_once_in_both_orders() {
    TestApp::both(async |test| {
        tree(test).await;
        let seller = shop(test, 1).await;
        for number in 0..9 {
            test.clock.advance(if number % 3 == 0 { 1000 } else { 0 });
            publish(test, &seller, draft(&format!("P{number}"), "x", "")).await;
        }
        for sort in [Sort::Name, Sort::Newest] {
            let mut query = Listing {
                category: "design".into(),
                sort,
                limit: 4,
                ..Listing::default()
            };
            let mut names = Vec::new();
            loop {
                let page = test
                    .app
                    .read(&test.guest(), query.clone(), listing)
                    .await
                    .expect("a page");
                assert_eq!(page.total, 9);
                names.extend(page.items.into_iter().map(|card| card.name));
                match page.next {
                    Some(next) => query.cursor = Some(next),
                    None => break,
                }
            }
            if sort == Sort::Newest {
                assert_eq!(names.first().map(|name| name.as_str() >= "P6"), Some(true));
                names.sort();
            }
            let expected: Vec<String> = (0..9).map(|number| format!("P{number}")).collect();
            assert_eq!(names, expected, "{sort:?}");
        }
        let stray = Listing {
            cursor: Some("nowhere".into()),
            ..Listing::default()
        };
        let refused = test.app.read(&test.guest(), stray, listing).await;
        assert!(matches!(refused, Err(CatalogError::CursorUnknown)));
    })
    .await;
}

#[tokio::test]
async fn a_product_lives_from_draft_to_archive_and_keeps_its_prices() {
    TestApp::both(async |test| {
        tree(test).await;
        let (seller, other) = (shop(test, 1).await, shop(test, 2).await);
        let written = draft("Editor", "Edits", "");
        let command = CreateProduct {
            draft: written.clone(),
        };
        let product = test
            .app
            .transact(&seller, command, create_product)
            .await
            .expect("made");
        assert_eq!(product.state, State::Draft);
        assert!(found(test, "editor").await.is_empty());
        // Taken names are told at their fields, both at once.
        let again = CreateProduct {
            draft: written.clone(),
        };
        let refused = test.app.transact(&other, again, create_product).await;
        let Err(CatalogError::Invalid(found_errors)) = refused else {
            panic!("{refused:?}");
        };
        let fields: Vec<_> = found_errors
            .iter()
            .map(|error| (error.field, error.code))
            .collect();
        assert_eq!(fields, [("slug", "duplicate"), ("code", "duplicate")]);
        // Somebody else's product is as absent as none.
        let id = product.id;
        let steal = PublishProduct { product: id };
        let refused = test.app.transact(&other, steal, publish_product).await;
        assert!(matches!(refused, Err(CatalogError::NotFound("product"))));
        test.app
            .transact(&seller, steal, publish_product)
            .await
            .expect("published");
        assert_eq!(found(test, "editor").await, ["Editor"]);
        // A price that stays keeps its id; a new one gets another.
        let mut changed = written;
        changed.name = "Editor Two".into();
        changed.slug = Some("editor".into());
        changed.prices.push(
            serde_json::from_value(serde_json::json!(
                {"model": "recurring", "period": "yearly", "amount_minor": 900, "currency": "USD"}
            ))
            .expect("a price"),
        );
        let command = UpdateProduct {
            product: id,
            draft: changed,
        };
        let updated = test
            .app
            .transact(&seller, command, update_product)
            .await
            .expect("updated");
        assert_eq!(updated.prices[0].id, product.prices[0].id);
        assert_eq!(updated.prices.len(), 2);
        let at = ProductAt {
            slug: "editor".into(),
        };
        let read = test
            .app
            .read(&test.guest(), at.clone(), product_at)
            .await
            .expect("there");
        assert_eq!(read, updated);
        let command = ArchiveProduct { product: id };
        test.app
            .transact(&seller, command, archive_product)
            .await
            .expect("archived");
        assert!(found(test, "editor").await.is_empty());
        assert!(
            test.app
                .read(&test.guest(), at.clone(), product_at)
                .await
                .is_err()
        );
        assert!(test.app.read(&seller, at, product_at).await.is_ok());
    })
    .await;
}

/// Rows of the counts and of the search that the placements don't bear out, or the other way round.
const ASTRAY: &str = "SELECT (SELECT COUNT(*) FROM (
        SELECT tenant_id, category_id, kind, price_band, products FROM placement_count
        WHERE products <> 0
        EXCEPT SELECT tenant_id, category_id, kind, price_band, COUNT(*) FROM placement
        WHERE listed = 1 GROUP BY tenant_id, category_id, kind, price_band) a)
    + (SELECT COUNT(*) FROM (
        SELECT tenant_id, category_id, kind, price_band, COUNT(*) FROM placement
        WHERE listed = 1 GROUP BY tenant_id, category_id, kind, price_band
        EXCEPT SELECT tenant_id, category_id, kind, price_band, products FROM placement_count) b)
    + (SELECT COUNT(*) FROM (
        SELECT doc_id, product_id, category_id, kind, price_band, name_key FROM search_row
        EXCEPT SELECT doc_id, product_id, category_id, kind, price_band, name_key FROM placement
        WHERE listed = 1 AND chosen = 1) c)
    + (SELECT COUNT(*) FROM (
        SELECT doc_id, product_id, category_id, kind, price_band, name_key FROM placement
        WHERE listed = 1 AND chosen = 1
        EXCEPT SELECT doc_id, product_id, category_id, kind, price_band, name_key
        FROM search_row) d) AS astray";

/// How many of them; none is as it should be.
pub async fn astray(test: &TestApp) -> i64 {
    let row = test
        .app
        .store
        .read(|tx: &mut dyn Tx| tx.query_one(ASTRAY, &[]))
        .await;
    let row = row.expect("a read").expect("a row").expect("a figure");
    row.int("astray").expect("a number")
}

#[tokio::test]
async fn what_is_counted_and_found_follows_every_change() {
    TestApp::both(async |test| {
        tree(test).await;
        let seller = shop(test, 1).await;
        let mut products = Vec::new();
        for name in ["Editor", "Viewer", "Printer"] {
            products.push(publish(test, &seller, draft(name, "Edits", "")).await);
        }
        assert_eq!(astray(test).await, 0);
        // Another kind, another band, another category, another name.
        let mut changed = draft("Editor", "Edits", "");
        changed.name = "Editor as a service".into();
        changed.kind = Kind::Subscription;
        changed.categories = vec!["data".into(), "design".into()];
        changed.prices[0].amount_minor = 900;
        let command = UpdateProduct {
            product: products[0].id,
            draft: changed,
        };
        let updated = test.app.transact(&seller, command, update_product).await;
        updated.expect("updated");
        assert_eq!(astray(test).await, 0);
        let product = products[1].id;
        let archived = test
            .app
            .transact(&seller, ArchiveProduct { product }, archive_product)
            .await;
        archived.expect("archived");
        assert_eq!(astray(test).await, 0);
        let page = test
            .app
            .read(&test.guest(), Listing::default(), listing)
            .await
            .expect("a page");
        let kinds: Vec<_> = page
            .facets
            .kinds
            .iter()
            .map(|of| (of.kind, of.count))
            .collect();
        assert_eq!(kinds, [(Kind::Download, 1), (Kind::Subscription, 1)]);
        let again = test
            .app
            .transact(&seller, PublishProduct { product }, publish_product)
            .await;
        again.expect("published");
        assert_eq!(astray(test).await, 0);
        // The check sees a count that strays and a product that the search doesn't know.
        for sql in [
            "UPDATE placement_count SET products = products + 1",
            "DELETE FROM search_row WHERE name_key = 'printer'",
        ] {
            let before = astray(test).await;
            let stray = move |tx: &mut dyn Tx| Attempt::Commit(tx.execute(sql, &[]));
            let strayed = test.app.store.write(Vec::new(), stray).await;
            strayed.expect("a commit").expect("written");
            assert!(astray(test).await > before, "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_developers_sell() {
    let test = TestApp::sqlite().await;
    tree(&test).await;
    let customer = Caller {
        roles: vec![Role::Customer],
        ..developer(&test, 3)
    };
    let command = CreateProduct {
        draft: draft("Editor", "Edits", ""),
    };
    let refused = test
        .app
        .transact(&customer, command.clone(), create_product)
        .await;
    assert!(matches!(refused, Err(CatalogError::Denied(_))));
    let without_shop = developer(&test, 4);
    let refused = test
        .app
        .transact(&without_shop, command, create_product)
        .await;
    assert!(matches!(refused, Err(CatalogError::ShopMissing)));
    test.finish().await;
}
