"""Where the two syntaxes of electronic invoices have each term (EN 16931-1, CEN/TS 16931-3-2 and 3-3).

A path has local names, "/" between them, and "|" between alternatives. It begins at the element of its section. Of an
element with others inside, such as the name and the value of a property, the texts are joined.
"""

from __future__ import annotations

from typing import NamedTuple

UBL, CII = "ubl", "cii"


class Term(NamedTuple):
    name: str
    ubl: str
    cii: str


class Section(NamedTuple):
    """Terms of one element, or of several (``is_list``). ``ubl`` and ``cii``: paths from the root to them."""

    name: str
    ubl: str
    cii: str
    terms: tuple[Term, ...]
    is_list: bool = False


_AGREEMENT = "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement"
_DELIVERY = "SupplyChainTradeTransaction/ApplicableHeaderTradeDelivery"
_SETTLEMENT = "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement"
_CONTEXT = "ExchangedDocumentContext"
_TOTALS = (
    f"{_SETTLEMENT}/SpecifiedTradeSettlementHeaderMonetarySummation|"
    f"{_SETTLEMENT}/SpecifiedTradeSettlementMonetarySummation"
)
_PRICE = "SpecifiedLineTradeAgreement/NetPriceProductTradePrice"
_LINE_TAX = "SpecifiedLineTradeSettlement/ApplicableTradeTax"
_LINE_ALLOWANCE = "SpecifiedLineTradeSettlement/SpecifiedTradeAllowanceCharge"
_LINE_PERIOD = "SpecifiedLineTradeSettlement/BillingSpecifiedPeriod"
_ACCOUNT = "PayeePartyCreditorFinancialAccount"

_PARTS_OF_TRADE = ("Agreement", "Delivery", "Settlement")
_LINE_TOTALS = "SpecifiedTradeSettlementLineMonetarySummation|SpecifiedTradeSettlementMonetarySummation"


def _address(name: str) -> str:
    """Return the paths to a part of an address in UBL: of a party, and of a place of delivery."""
    return f"PostalAddress/{name}|DeliveryLocation/Address/{name}"


_HEADER = (
    Term("number", "ID", "ExchangedDocument/ID"),
    Term("type_code", "InvoiceTypeCode|CreditNoteTypeCode", "ExchangedDocument/TypeCode"),
    Term("name", "Name", "ExchangedDocument/Name"),
    Term("issue_date", "IssueDate", "ExchangedDocument/IssueDateTime/DateTimeString"),
    Term("due_date", "DueDate", f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString"),
    Term("tax_point_date", "TaxPointDate", f"{_SETTLEMENT}/ApplicableTradeTax/TaxPointDate/DateString"),
    Term("currency", "DocumentCurrencyCode", f"{_SETTLEMENT}/InvoiceCurrencyCode"),
    Term("tax_currency", "TaxCurrencyCode", f"{_SETTLEMENT}/TaxCurrencyCode"),
    Term("buyer_reference", "BuyerReference", f"{_AGREEMENT}/BuyerReference"),
    Term("order", "OrderReference/ID", f"{_AGREEMENT}/BuyerOrderReferencedDocument/IssuerAssignedID"),
    Term("sales_order", "OrderReference/SalesOrderID", f"{_AGREEMENT}/SellerOrderReferencedDocument/IssuerAssignedID"),
    Term("contract", "ContractDocumentReference/ID", f"{_AGREEMENT}/ContractReferencedDocument/IssuerAssignedID"),
    Term("project", "ProjectReference/ID", f"{_AGREEMENT}/SpecifiedProcuringProject/ID"),
    Term(
        "despatch_advice",
        "DespatchDocumentReference/ID",
        f"{_DELIVERY}/DespatchAdviceReferencedDocument/IssuerAssignedID",
    ),
    Term(
        "receiving_advice",
        "ReceiptDocumentReference/ID",
        f"{_DELIVERY}/ReceivingAdviceReferencedDocument/IssuerAssignedID",
    ),
    Term("tender", "OriginatorDocumentReference/ID", ""),
    Term(
        "preceding_invoice",
        "BillingReference/InvoiceDocumentReference/ID",
        f"{_SETTLEMENT}/InvoiceReferencedDocument/IssuerAssignedID",
    ),
    Term(
        "delivery_date",
        "Delivery/ActualDeliveryDate",
        f"{_DELIVERY}/ActualDeliverySupplyChainEvent/OccurrenceDateTime/DateTimeString",
    ),
    Term(
        "period_start", "InvoicePeriod/StartDate", f"{_SETTLEMENT}/BillingSpecifiedPeriod/StartDateTime/DateTimeString"
    ),
    Term("period_end", "InvoicePeriod/EndDate", f"{_SETTLEMENT}/BillingSpecifiedPeriod/EndDateTime/DateTimeString"),
    Term("accounting_reference", "AccountingCost", f"{_SETTLEMENT}/ReceivableSpecifiedTradeAccountingAccount/ID"),
    Term("business_process", "ProfileID", f"{_CONTEXT}/BusinessProcessSpecifiedDocumentContextParameter/ID"),
    Term("specification", "CustomizationID", f"{_CONTEXT}/GuidelineSpecifiedDocumentContextParameter/ID"),
    Term("syntax_version", "UBLVersionID", ""),
)
_PARTY = (
    Term("name", "PartyLegalEntity/RegistrationName", "Name"),
    Term(
        "trading_name", "PartyName/Name|DeliveryParty/PartyName/Name", "SpecifiedLegalOrganization/TradingBusinessName"
    ),
    Term("identifier", "PartyIdentification/ID|DeliveryLocation/ID", "ID|GlobalID"),
    Term("legal_identifier", "PartyLegalEntity/CompanyID", "SpecifiedLegalOrganization/ID"),
    Term("legal_form", "PartyLegalEntity/CompanyLegalForm", "Description"),
    Term("tax_identifier", "PartyTaxScheme/CompanyID", "SpecifiedTaxRegistration/ID"),
    Term("tax_scheme", "PartyTaxScheme/TaxScheme/ID", ""),
    Term("electronic_address", "EndpointID", "URIUniversalCommunication/URIID"),
    Term("street", _address("StreetName"), "PostalTradeAddress/LineOne"),
    Term("second_line", _address("AdditionalStreetName"), "PostalTradeAddress/LineTwo"),
    Term("third_line", _address("AddressLine/Line"), "PostalTradeAddress/LineThree"),
    Term("postal_code", _address("PostalZone"), "PostalTradeAddress/PostcodeCode"),
    Term("city", _address("CityName"), "PostalTradeAddress/CityName"),
    Term("region", _address("CountrySubentity"), "PostalTradeAddress/CountrySubDivisionName"),
    Term("country", _address("Country/IdentificationCode"), "PostalTradeAddress/CountryID"),
    Term("contact", "Contact/Name", "DefinedTradeContact/PersonName|DefinedTradeContact/DepartmentName"),
    Term("phone", "Contact/Telephone", "DefinedTradeContact/TelephoneUniversalCommunication/CompleteNumber"),
    Term("email", "Contact/ElectronicMail", "DefinedTradeContact/EmailURIUniversalCommunication/URIID"),
)
_LINE = (
    Term("number", "ID", "AssociatedDocumentLineDocument/LineID"),
    Term("item", "Item/Name", "SpecifiedTradeProduct/Name"),
    Term("description", "Item/Description", "SpecifiedTradeProduct/Description"),
    Term("note", "Note", "AssociatedDocumentLineDocument/IncludedNote/Content"),
    Term("seller_item", "Item/SellersItemIdentification/ID", "SpecifiedTradeProduct/SellerAssignedID"),
    Term("buyer_item", "Item/BuyersItemIdentification/ID", "SpecifiedTradeProduct/BuyerAssignedID"),
    Term("standard_item", "Item/StandardItemIdentification/ID", "SpecifiedTradeProduct/GlobalID"),
    Term(
        "classification",
        "Item/CommodityClassification/ItemClassificationCode",
        "SpecifiedTradeProduct/DesignatedProductClassification/ClassCode",
    ),
    Term("origin", "Item/OriginCountry/IdentificationCode", "SpecifiedTradeProduct/OriginTradeCountry/ID"),
    Term("order_line", "OrderLineReference/LineID", "SpecifiedLineTradeAgreement/BuyerOrderReferencedDocument/LineID"),
    Term(
        "accounting_reference",
        "AccountingCost",
        "SpecifiedLineTradeSettlement/ReceivableSpecifiedTradeAccountingAccount/ID",
    ),
    Term("period_start", "InvoicePeriod/StartDate", f"{_LINE_PERIOD}/StartDateTime/DateTimeString"),
    Term("period_end", "InvoicePeriod/EndDate", f"{_LINE_PERIOD}/EndDateTime/DateTimeString"),
    Term("properties", "Item/AdditionalItemProperty", "SpecifiedTradeProduct/ApplicableProductCharacteristic"),
    Term("is_charge", "AllowanceCharge/ChargeIndicator", f"{_LINE_ALLOWANCE}/ChargeIndicator/Indicator"),
    Term("allowance", "AllowanceCharge/Amount", f"{_LINE_ALLOWANCE}/ActualAmount"),
    Term("allowance_reason", "AllowanceCharge/AllowanceChargeReason", f"{_LINE_ALLOWANCE}/Reason"),
    Term("allowance_code", "AllowanceCharge/AllowanceChargeReasonCode", f"{_LINE_ALLOWANCE}/ReasonCode"),
    Term("allowance_percent", "AllowanceCharge/MultiplierFactorNumeric", f"{_LINE_ALLOWANCE}/CalculationPercent"),
    Term("allowance_base", "AllowanceCharge/BaseAmount", f"{_LINE_ALLOWANCE}/BasisAmount"),
    Term("quantity", "InvoicedQuantity|CreditedQuantity", "SpecifiedLineTradeDelivery/BilledQuantity"),
    Term(
        "gross_price",
        "Price/AllowanceCharge/BaseAmount",
        "SpecifiedLineTradeAgreement/GrossPriceProductTradePrice/ChargeAmount",
    ),
    Term("price", "Price/PriceAmount", f"{_PRICE}/ChargeAmount"),
    Term("price_quantity", "Price/BaseQuantity", f"{_PRICE}/BasisQuantity"),
    Term("tax", "Item/ClassifiedTaxCategory/TaxScheme/ID", f"{_LINE_TAX}/TypeCode"),
    Term("tax_category", "Item/ClassifiedTaxCategory/ID", f"{_LINE_TAX}/CategoryCode"),
    Term(
        "tax_rate",
        "Item/ClassifiedTaxCategory/Percent",
        f"{_LINE_TAX}/RateApplicablePercent|{_LINE_TAX}/ApplicablePercent",
    ),
    Term(
        "amount",
        "LineExtensionAmount",
        "|".join(f"SpecifiedLineTradeSettlement/{name}/LineTotalAmount" for name in _LINE_TOTALS.split("|")),
    ),
)
_ALLOWANCE = (
    Term("is_charge", "ChargeIndicator", "ChargeIndicator/Indicator"),
    Term("reason", "AllowanceChargeReason", "Reason"),
    Term("reason_code", "AllowanceChargeReasonCode", "ReasonCode"),
    Term("percent", "MultiplierFactorNumeric", "CalculationPercent"),
    Term("base_amount", "BaseAmount", "BasisAmount"),
    Term("tax", "TaxCategory/TaxScheme/ID", "CategoryTradeTax/TypeCode"),
    Term("tax_category", "TaxCategory/ID", "CategoryTradeTax/CategoryCode"),
    Term("tax_rate", "TaxCategory/Percent", "CategoryTradeTax/RateApplicablePercent"),
    Term("amount", "Amount", "ActualAmount"),
)
_TAX = (
    Term("tax", "TaxCategory/TaxScheme/ID", "TypeCode"),
    Term("category", "TaxCategory/ID", "CategoryCode"),
    Term("rate", "TaxCategory/Percent", "RateApplicablePercent|ApplicablePercent"),
    Term("taxable_amount", "TaxableAmount", "BasisAmount"),
    Term("tax_amount", "TaxAmount", "CalculatedAmount"),
    Term("exemption_reason", "TaxCategory/TaxExemptionReason", "ExemptionReason"),
    Term("exemption_code", "TaxCategory/TaxExemptionReasonCode", "ExemptionReasonCode"),
)
_TOTAL = (
    Term("lines", "LegalMonetaryTotal/LineExtensionAmount", "LineTotalAmount"),
    Term("allowances", "LegalMonetaryTotal/AllowanceTotalAmount", "AllowanceTotalAmount"),
    Term("charges", "LegalMonetaryTotal/ChargeTotalAmount", "ChargeTotalAmount"),
    Term("without_tax", "LegalMonetaryTotal/TaxExclusiveAmount", "TaxBasisTotalAmount"),
    Term("tax", "TaxTotal/TaxAmount", "TaxTotalAmount"),
    Term("with_tax", "LegalMonetaryTotal/TaxInclusiveAmount", "GrandTotalAmount"),
    Term("prepaid", "LegalMonetaryTotal/PrepaidAmount", "TotalPrepaidAmount"),
    Term("rounding", "LegalMonetaryTotal/PayableRoundingAmount", "RoundingAmount"),
    Term("due", "LegalMonetaryTotal/PayableAmount", "DuePayableAmount"),
)
_PAYMENT = (
    Term("means_code", "PaymentMeansCode", "TypeCode"),
    Term("means", "InstructionNote", "Information"),
    Term("reference", "PaymentID", ""),
    Term("account", "PayeeFinancialAccount/ID", f"{_ACCOUNT}/IBANID|{_ACCOUNT}/ProprietaryID"),
    Term("account_name", "PayeeFinancialAccount/Name", f"{_ACCOUNT}/AccountName"),
    Term(
        "bank",
        "PayeeFinancialAccount/FinancialInstitutionBranch/ID",
        "PayeeSpecifiedCreditorFinancialInstitution/BICID",
    ),
    Term("card", "CardAccount/PrimaryAccountNumberID", "ApplicableTradeSettlementFinancialCard/ID"),
    Term("card_holder", "CardAccount/HolderName", "ApplicableTradeSettlementFinancialCard/CardholderName"),
    Term("mandate", "PaymentMandate/ID", ""),
    Term("debited_account", "PaymentMandate/PayerFinancialAccount/ID", "PayerPartyDebtorFinancialAccount/IBANID"),
)
_DOCUMENT = (
    Term("number", "ID", "IssuerAssignedID"),
    Term("type_code", "DocumentTypeCode", "TypeCode"),
    Term("description", "DocumentDescription", "Name"),
    Term("address", "Attachment/ExternalReference/URI", "URIID"),
    Term("scheme", "", "ReferenceTypeCode"),
)
_TERMS = (
    Term("terms", "PaymentTerms/Note", f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/Description"),
    Term("payment_reference", "", f"{_SETTLEMENT}/PaymentReference"),
    Term("creditor", "", f"{_SETTLEMENT}/CreditorReferenceID"),
    Term("mandate", "", f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/DirectDebitMandateID"),
)
SECTIONS = (
    Section("invoice", "", "", _HEADER),
    Section("seller", "AccountingSupplierParty/Party", f"{_AGREEMENT}/SellerTradeParty", _PARTY),
    Section("buyer", "AccountingCustomerParty/Party", f"{_AGREEMENT}/BuyerTradeParty", _PARTY),
    Section("payee", "PayeeParty", f"{_SETTLEMENT}/PayeeTradeParty", _PARTY),
    Section("tax_representative", "TaxRepresentativeParty", f"{_AGREEMENT}/SellerTaxRepresentativeTradeParty", _PARTY),
    Section("deliver_to", "Delivery", f"{_DELIVERY}/ShipToTradeParty", _PARTY),
    Section("notes", "", "ExchangedDocument", (Term("note", "Note", "IncludedNote/Content"),)),
    Section(
        "lines",
        "InvoiceLine|CreditNoteLine",
        "SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem",
        _LINE,
        True,
    ),
    Section(
        "allowances_and_charges", "AllowanceCharge", f"{_SETTLEMENT}/SpecifiedTradeAllowanceCharge", _ALLOWANCE, True
    ),
    Section("taxes", "TaxTotal/TaxSubtotal", f"{_SETTLEMENT}/ApplicableTradeTax", _TAX, True),
    Section("totals", "", _TOTALS, _TOTAL),
    Section("payment", "PaymentMeans", f"{_SETTLEMENT}/SpecifiedTradeSettlementPaymentMeans", _PAYMENT, True),
    Section("payment_terms", "", "", _TERMS),
    Section("documents", "AdditionalDocumentReference", f"{_AGREEMENT}/AdditionalReferencedDocument", _DOCUMENT, True),
)
# ZUGFeRD 1.0 -> later names.
LATER_NAMES = {
    "HeaderExchangedDocument": "ExchangedDocument",
    "SpecifiedExchangedDocumentContext": "ExchangedDocumentContext",
    "SpecifiedSupplyChainTradeTransaction": "SupplyChainTradeTransaction",
    **{f"ApplicableSupplyChainTrade{part}": f"ApplicableHeaderTrade{part}" for part in _PARTS_OF_TRADE},
    **{f"SpecifiedSupplyChainTrade{part}": f"SpecifiedLineTrade{part}" for part in _PARTS_OF_TRADE},
}
