package policy

// newPolicy works out what is heard for each action under a set of parameters.
// Each list is in catalogue order; a rule that may be silent says so here.
func newPolicy(name string, params Params) *Policy {
	p := &Policy{name: name, params: params}
	q := &p.params

	p.placeCall = open(q, name, actionPlaceCall, "an emergency call", []check[PlaceCall]{
		{ruleEmergency, true, emergencyCall},
		{ruleFailClosed, true, dialOther},
		{ruleAudit, false, auditPlaceCall},
	}, dutyNotifyFrontDesk|dutySendLocation|dutyNoRecording,
		dutyNotifyFrontDesk|dutySendLocation|dutyNoRecording|dutyBufferAudit)

	p.connectLeg = open(q, name, actionConnectLeg, "the leg may carry audio", []check[ConnectLeg]{
		{ruleEmergency, true, emergencyLeg},
		{ruleFailClosed, true, completeLeg},
		{ruleTransport, true, encryptedLeg},
		{ruleAudit, false, auditLeg},
	}, dutyMarkPSTN, dutyBufferAudit, dutyMarkPSTN|dutyBufferAudit)

	p.keepRecord = open(q, name, actionKeepRecord, "it may be kept", []check[KeepRecord]{
		{ruleFailClosed, false, completeKeep},
		{ruleAtRest, false, atRest},
		{ruleEvidence, true, keepEvidence},
		{ruleSecure, true, keepSecure},
		{ruleAudit, false, auditKeep},
	}, dutySealOnClose|dutyVerifyOnRead)

	p.startRecording = open(q, name, actionStartRecording, "all who must have said yes", []check[StartRecording]{
		{ruleEmergency, false, started(emergencyUnrecorded)},
		{ruleFailClosed, false, completeStart},
		{ruleDefaultOff, false, offStart},
		{ruleConsentRequired, false, started(consentRequired)},
		{ruleAllParties, false, started(consentAllParties)},
		{ruleEvidence, false, evidenceStart},
		{ruleRevoked, false, revokedStart},
		{ruleSecure, false, started(secure)},
		{ruleAudit, false, started(auditRecording)},
	}, dutyAnnounce|dutyStoreConsent|dutySealOnClose|dutyVerifyOnRead)
	p.startRecording.settle = settleStart

	p.continueRecording = open(q, name, actionContinueRecording, "the consents still stand", []check[ContinueRecording]{
		{ruleEmergency, false, running(emergencyUnrecorded)},
		{ruleFailClosed, false, orStop(completeContinue)},
		{ruleDefaultOff, false, orStop(offContinue)},
		{ruleConsentRequired, false, running(consentRequired)},
		{ruleAllParties, false, running(consentAllParties)},
		{ruleEvidence, false, orStop(evidenceContinue)},
		{ruleRevoked, false, orStop(revokedContinue)},
		{ruleSecure, false, running(secure)},
		{ruleAudit, false, running(auditRecording)},
	}, dutySealOnClose|dutyVerifyOnRead, dutyAnnounce|dutySealOnClose|dutyVerifyOnRead)
	p.continueRecording.settle = settleContinue

	p.routeCall = open(q, name, actionRouteCall, "a reason that is none of recording's", []check[RouteCall]{
		{ruleFailClosed, false, completeRoute},
		{ruleNoDetriment, false, noDetriment},
		{ruleAudit, false, auditRoute},
	}, dutyBufferAudit)

	p.verify = open(q, name, actionVerify, "the caller is verified", []check[Verify]{
		{ruleFailClosed, false, completeVerify},
		{ruleTwo, false, twoIdentifiers},
		{ruleCallerID, false, callerIDHint},
		{ruleNormalise, false, readable},
		{ruleUnique, true, oneCandidate},
		{ruleBilling, true, billingNext},
		{ruleAttempts, false, attempts},
		{ruleAudit, false, auditVerify},
	}, dutyAskBilling)
	p.verify.settle = settleTries

	p.verifyBilling = open(q, name, actionVerifyBilling, "billing may be talked about", []check[VerifyBilling]{
		{ruleFailClosed, false, completeBilling},
		{ruleVerify, false, verifiedForBilling},
		{ruleNormalise, true, readableBilling},
		{ruleBilling, false, billingExtra},
		{ruleAttempts, true, attemptsBilling},
		{ruleScope, true, scopeOfBilling},
		{ruleAudit, false, auditBilling},
	})
	p.verifyBilling.settle = settleTries

	p.disclose = open(q, name, actionDisclose, "it may be disclosed", []check[Disclose]{
		{ruleFailClosed, false, completeDisclose},
		{ruleVerify, false, verifiedFirst},
		{ruleBilling, true, billingFirst},
		{ruleScope, true, scopeOfDisclose},
		{ruleAgent, true, announcedFirst},
		{ruleAudit, false, auditDisclose},
		{ruleTraining, true, trainedAgent},
	}, dutyBufferAudit)

	p.reply = open(q, name, actionReply, "the reply teaches nothing", []check[Reply]{
		{ruleFailClosed, false, completeReply},
		{ruleNoOracle, false, noOracle},
		{ruleAudit, false, auditReply},
	}, dutyBufferAudit)

	p.announceAgent = open(q, name, actionAnnounceAgent, "the announcement is good", []check[AnnounceAgent]{
		{ruleFailClosed, false, completeAnnounce},
		{ruleAgent, false, announcement},
		{ruleAudit, false, auditAnnounce},
	}, dutyAnnounceAgent, dutyBufferAudit, dutyAnnounceAgent|dutyBufferAudit)

	p.joinQueue = open(q, name, actionJoinQueue, "trained and current", []check[JoinQueue]{
		{ruleFailClosed, false, completeJoin},
		{ruleAudit, false, auditJoin},
		{ruleTraining, false, trainedToJoin},
	})
	return p
}
