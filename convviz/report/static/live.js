(()=>{var T,dt,cn,G,Le,ye,ht,ge,$t,Re,De,un,ue=Symbol.for("pv"),we={},xe=[],pn=/^m(i|n|o|s|text|space)$/,Ae=Array.isArray,Ue=xe.slice,te=Object.assign;function ee(e){e&&e.parentNode&&e.remove()}function ft(e,t,n){var s,r,o,a={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?r=t[o]:a[o]=t[o];return i>2&&(a.children=i>3?Ue.call(arguments,2):n),ce(e,a,s,r,null)}function ce(e,t,n,s,r){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:ue,__v:r||++dt,__i:-1,__u:0};return!r&&T.vnode&&T.vnode(o),o}function ke(e){return e.children}function be(e,t){this.props=e,this.context=t,this.__g=0}function X(e,t){if(t==null)return e.__&&X(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:X(e)}function dn(e){var t,n=e.__v,s=n.__e,r=[],o=[],a=e.__P;a&&((t=te({constructor:ue},n)).__v=n.__v+1,T.vnode&&T.vnode(t),He(a,t,n,e.__n,a.namespaceURI,32&n.__u?[s]:null,r,s||X(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,yt(r,t,o),n.__=n.__e=null,t.__e!=s&&mt(t))}function mt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),mt(e)}function ut(e){(8&e.__g||(e.__g|=8,G.push(e),ye++))&&Le==T.debounceRendering||((Le=T.debounceRendering)||queueMicrotask)(_t)}function _t(){try{for(var e,t=1;G.length;)G.length>t&&G.sort(ht),e=G.shift(),t=G.length,8&e.__g&&dn(e)}finally{(ye=G.length)&&(Le||queueMicrotask)(_t)}}function gt(e,t,n,s,r,o,a,i,c,$,l){var m,f,p,h,w,g,M=s.__k||xe,b=t.length;for(c=hn(n,t,M,c,b),m=0;m<b;m++)(p=n.__k[m])!=null&&(f=~p.__i&&M[p.__i]||we,p.__i=m,g=He(e,p,f,r,o,a,i,c,$,l),h=p.__e,(f.ref!=p.ref||8&f.__u)&&(f.ref&&Ie(f.ref,null,p,f),p.ref&&l.push(p.ref,p.__c||h,p)),w=w||h,4&p.__u?(c=bt(p,c,e,!f.__v),f.__e&&(f.__e=null)):typeof p.type=="function"&&g!==void 0?c=g:h&&(c=h.nextSibling),p.__u&=-21);return n.__e=w,c}function hn(e,t,n,s,r){var o,a,i,c,$,l,m,f,p,h=n.length,w=h,g=0,M=0,b=e.__k=Array(r);for(o=0;o<r;o++)(a=t[o])!=null&&typeof a!="boolean"&&typeof a!="function"?(typeof a!="object"||a.constructor===String?a=b[o]=ce(null,a):Ae(a)?a=b[o]=ce(ke,{children:a}):a.constructor===ue&&a.__b?a=b[o]=ce(a.type,a.props,a.key,a.ref,a.__v):b[o]=a,c=o+g,a.__=e,a.__b=e.__b+1,i=null,~($=a.__i=$n(a,n,c,w))&&(w--,(i=n[$])&&(i.__u|=2)),i&&i.__v?(a.__u|=16,$==c-1?g--:$==c+1?g++:$!=c&&($>c?g--:g++,M=1)):(~$||(r>h?g--:r<h&&g++),typeof a.type!="function"&&(a.__u|=4))):b[o]=null;if(M){for(l=[],m=[],o=0;o<r;o++)if((a=b[o])&&16&a.__u){for(g=0,f=l.length;g<f;)l[p=g+f>>1]<a.__i?g=p+1:f=p;l[g]=a.__i,m[o]=g+1}for(g=l.length;o--;)m[o]&&(m[o]==g?g--:b[o].__u|=4)}if(w)for(o=0;o<h;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=X(i)),Be(i,i));return s}function bt(e,t,n,s){var r,o,a,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(r=e.__k)for(o=0;o<r.length;o++)r[o]&&(r[o].__=e,t=bt(r[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=X(e))&&!t.parentNode&&(t=null),a=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(a!=i&&(!s&&n.moveBefore&&a.parentNode?n.moveBefore(a,t):n.insertBefore(a,t||null)),t=a;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function $n(e,t,n,s){var r,o=e.key,a=e.type,i=t[n],c=i&&!(2&i.__u);if(i===null&&o==null||c&&o==i.key&&a==i.type)return n;if(s>(c?1:0)){for(r=n-1;r>=0;r--)if((i=t[r])&&!(2&i.__u)&&o==i.key&&a==i.type)return r;for(r=n+1;r<t.length;r++)if((i=t[r])&&!(2&i.__u)&&o==i.key&&a==i.type)return r}return-1}function pt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function _e(e,t,n,s,r){var o,a;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||pt(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||pt(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(a=De[t]||(De[t]=fn(t)),(e.__a||(e.__a={}))[t]=Re,o=t!=(t=t.replace($t,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,a,o):e.removeEventListener(t,a,o));else{if(r=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function fn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[ge]==null)t[ge]=Re++;else if(t[ge]<this.__a[e])return;return n(T.event?T.event(t):t)}}}function He(e,t,n,s,r,o,a,i,c,$){var l,m,f,p,h,w,g,M,b,y,x,D,z,F,R,J,U,v,d=t.type;if(t.constructor!==ue)return null;128&n.__u&&(c=32&n.__u,l=n.__c.__z)&&(t.__u|=c,m=o=[],l.nodeType==8?i=ve(l,o):o.push(l),i=o[0]||i),(l=T.__b)&&l(t);e:if(typeof d=="function"){f=a.length;try{if(M=t.props,b=(l=d.prototype)&&l.render,y=(l=d.contextType)&&s[l.__c],x=l?y?y.props.value:l.__:s,(p=n.__c)?(t.__c=p,2&p.__g&&(p.__g|=1)):(b?t.__c=p=new d(M,x):(t.__c=p=new be(M,x),p.constructor=d,p.render=_n),y&&y.sub(p),p.state||(p.state={}),p.__n=s,p.__g|=8,p.__h=[],p.__k=[]),b&&(p.__s||(p.__s=p.state),d.getDerivedStateFromProps&&(p.__s==p.state&&(p.__s=te({},p.__s)),te(p.__s,d.getDerivedStateFromProps(M,p.__s)))),h=p.props,w=p.state,p.__v=t,n.__c){if(M!==h&&b&&!d.getDerivedStateFromProps&&p.componentWillReceiveProps&&p.componentWillReceiveProps(M,x),t.__v==n.__v&&!(8&p.__g)||!(4&p.__g)&&p.shouldComponentUpdate&&p.shouldComponentUpdate(M,p.__s,x)===!1){t.__v!=n.__v&&(p.props=M,p.state=p.__s,p.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(_){_&&(_.__=t)}),xe.push.apply(p.__h,p.__k),p.__k=[],p.__h.length&&a.push(p),i=X(n);break e}p.componentWillUpdate&&p.componentWillUpdate(M,p.__s,x),b&&p.componentDidUpdate&&p.__h.push(function(){p.componentDidUpdate(h,w,g)})}else b&&!d.getDerivedStateFromProps&&p.componentWillMount&&p.componentWillMount(),b&&p.componentDidMount&&p.__h.push(p.componentDidMount);p.context=x,p.props=M,p.__P=e,p.__g&=-5,D=T.__r,z=b?25:0;do p.__g&=-9,D&&D(t),l=p.render(p.props,p.state=p.__s,p.context);while(8&p.__g&&++z<25);b&&(xe.push.apply(p.__h,p.__k),p.__k=[]),p.state=p.__s,p.getChildContext&&(s=te({},s,p.getChildContext())),b&&n.__c&&p.getSnapshotBeforeUpdate&&(g=p.getSnapshotBeforeUpdate(h,w)),F=l&&l.type===ke&&l.key==null?l.props.children:l,M.__P&&(l=i,r=(e=M.__P).namespaceURI,c=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(_){_&&Be(_,_)}),n.__k=null),i=n.__k?X(n,0):null),i=gt(e,Ae(F)?F:[F],t,n,s,r,o,a,i,c,$),M.__P&&(t.__e=null,i=l),t.__u&=-161,m&&m.some(ee),p.__h.length&&a.push(p),1&p.__g&&(p.__g&=-4)}catch(_){if(a.length=f,t.__v=null,c||o)if(_&&_.then){if(t.__u|=128|c,o){for(~(U=o.indexOf(i||void 0))||(U=o.length);(v=o[U-1])&&v.nodeType==8;)U--;for(;U<o.length;U++)if(v=o[U])if(o[U]=null,R){if(v==J)break}else{if(v.nodeType!=8)break;v.data.startsWith("$s")&&(J=ve(R=v))}}if(!R){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;R=i}(l=ve(R=t.__c.__z||(t.__c.__z=R)))?(t.__e=R,i=l):t.__e=i,i=i&&i.nextSibling}else o&&o.some(ee);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),_&&_.then||vt(t),T.__e(_,t,n)}}else i=t.__e=mn(n.__e,t,n,s,r,o,a,c,$,e);return(l=T.diffed)&&l(t),i}function ve(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function vt(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(vt))}function yt(e,t,n){for(var s=0;s<n.length;)Ie(n[s++],n[s++],n[s++]);T.__c&&T.__c(t,e),e.some(function(r){try{e=r.__h,r.__h=[],e.some(function(o){o.call(r)})}catch(o){T.__e(o,r.__v)}})}function mn(e,t,n,s,r,o,a,i,c,$){var l,m,f,p,h,w,g,M,b=n.props||we,y=t.props,x=t.type;if(x=="svg"?r="http://www.w3.org/2000/svg":x=="math"?r="http://www.w3.org/1998/Math/MathML":r||(r="http://www.w3.org/1999/xhtml"),o){for(l=0;l<o.length;l++)if((h=o[l])&&(x?h.localName==x:h.nodeType==3)){e=h,o[l]=null;break}}if(!e){if(M=$.ownerDocument||document,!x)return M.createTextNode(y);e=M.createElementNS(r,x,y.is?y:$),i&&(T.__m&&T.__m(t,o),i=!1),o=null}if(x){if($=x=="template"&&e.content||e,o=x=="textarea"&&y.defaultValue!=null?null:o&&Ue.call($.childNodes),!i&&o)for(b={},l=0;l<e.attributes.length;l++)b[(h=e.attributes[l]).name]=h.value;for(l in b)h=b[l],l=="dangerouslySetInnerHTML"?f=h:l=="children"||l in y||l=="value"&&"defaultValue"in y||l=="checked"&&"defaultChecked"in y||_e(e,l,null,h,r);for(l in y)h=y[l],l=="children"?p=h:l=="dangerouslySetInnerHTML"?m=h:l=="value"?w=h:l=="checked"?g=h:i&&typeof h!="function"||b[l]===h||_e(e,l,h,b[l],r);m?(i||f&&(m.__html==f.__html||m.__html==e.innerHTML)||(e.innerHTML=m.__html),t.__k=[]):(f&&(e.textContent=""),(x=="foreignObject"||r=="http://www.w3.org/1998/Math/MathML"&&pn.test(x))&&(r="http://www.w3.org/1999/xhtml"),gt($,Ae(p)?p:[p],t,n,s,r,o,a,o?o[0]:n.__k&&X(n,0),i,c),o&&o.some(ee)),i&&x!="textarea"||(l="value",x=="progress"&&w==null?e.removeAttribute(l):w==null||w===e[l]&&(x!="progress"||w)||_e(e,l,w,b[l],r),l="checked",g!=null&&g!=e[l]&&_e(e,l,g,b[l],r))}else b===y||i&&e.data==y||(e.data=y);return e}function Ie(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(r){T.__e(r,n)}}function Be(e,t,n){var s,r,o,a;if(T.unmount&&T.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||Ie(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){T.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(a=0;a<s.length;a++)s[a]&&Be(s[a],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(r=ve(s,o=[]))&&(s==e.__e&&o.some(ee),ee(r),ee(s)),n||ee(e.__e),e.__e=e.__c=e.__=null}function _n(e,t,n){return this.constructor(e,n)}function We(e,t){var n,s,r,o;T.__&&T.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=ce(ke,{children:[e]}),r=[],o=[],He(t,t.__k,s||we,we,t.namespaceURI,s?null:t.firstChild?Ue.call(t.childNodes):null,r,s?s.__e:t.firstChild,n,o),yt(r,t.__k,o),t.__k.props.children=null}T={__e:function(e,t,n,s){for(var r,o,a;t=t.__;)if((r=t.__c)&&!(1&r.__g)){r.__g|=4;try{if((a=(o=r.constructor)&&o.getDerivedStateFromError)&&r.setState(o.getDerivedStateFromError(e)),r.componentDidCatch&&(r.componentDidCatch(e,s||{}),a=1),a&&8&r.__g)return void(r.__g|=2)}catch(i){e=i}}throw ye=0,e}},dt=0,cn=function(e){return e!=null&&e.constructor===ue},be.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=te({},this.state)),typeof e=="function"&&(e=e(te({},n),this.props)),e&&(te(n,e),this.__v&&(t&&this.__k.push(t),ut(this)))},be.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),ut(this))},be.prototype.render=ke,G=[],ye=0,ht=function(e,t){return e.__v.__b-t.__v.__b},ge=Symbol(),$t=/(PointerCapture)$|Capture$/i,Re=0,De={},un=0;var de,O,ze,wt,Fe=Object.is,Ce=0,jt=[],qe=[],N=T,xt=N.__b,kt=N.__r,Ct=N.diffed,Mt=N.__c,St=N.unmount,Pt=N.__;function Ke(e,t){N.__h&&N.__h(O,e,Ce||t),Ce=0;var n=O.__H||(O.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function k(e){return Ce=1,gn(Ot,e)}function gn(e,t,n){var s=Ke(de++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Ot(void 0,t),function(o){var a=(s.__N||s.__)[0],i=s.t(a,o);Fe(a,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=O,!O.__f)){O.__f=!0;var r=O.shouldComponentUpdate;O.shouldComponentUpdate=function(o,a,i){var c=this.__H;if(!c)return!0;var $=!1,l=this.props!=o;if(c.__.some(function(f){f.__N&&($=!0,Fe(f.__[0],f.__N[0])||(l=!0))}),r){var m=r.call(this,o,a,i);return $?m||l:m}return!$||l}}return s.__}function S(e,t){var n=Ke(de++,3);!N.__s&&Nt(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,O.__H.__h.push(n))}function H(e){return Ce=5,Je(function(){return{current:e}},[])}function Je(e,t){var n=Ke(de++,7);return Nt(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function bn(){var e;do{for(;e=qe.shift();)try{pe(e)}catch(n){N.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=jt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(pe),t.__h.some(Ve),t.__h=[]}catch(n){t.__h=[],N.__e(n,e.__v)}}}while(qe.length)}N.__b=function(e){O=null,xt&&xt(e)},N.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Pt&&Pt(e,t)},N.__r=function(e){kt&&kt(e),de=0;var t=(O=e.__c).__H;t&&(ze==O?O.__h=[]:(t.__h.some(pe),t.__h.some(Ve),de=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),ze=O},N.diffed=function(e){Ct&&Ct(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Et(jt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),ze=O=null},N.__c=function(e,t){t.some(function(n){try{n.__h.some(pe),n.__h=n.__h.filter(function(s){return!s.__||Ve(s)})}catch(s){n.__h=[function(){throw s}]}}),Mt&&Mt(e,t)},N.unmount=function(e){St&&St(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(r){try{if(r.__P&&r.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}r.__P=n,Et(qe.push(r))}else pe(r)}catch(o){t=o}}),s.__H=void 0,t&&N.__e(t,s.__v))};var Tt=typeof requestAnimationFrame=="function";function vn(e){var t,n=function(){clearTimeout(s),Tt&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Tt&&(t=requestAnimationFrame(n))}function Et(e){e!=1&&wt==N.requestAnimationFrame||((wt=N.requestAnimationFrame)||vn)(bn)}function pe(e){var t=O,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),O=t}function Ve(e){var t=O;e.__c=e.__(),O=t}function Nt(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!Fe(n,e[s])})}function Ot(e,t){return typeof t=="function"?t(e):t}var Dt=function(e,t,n,s){var r;t[0]=0;for(var o=1;o<t.length;o++){var a=t[o++],i=t[o]?(t[0]|=a?1:2,n[t[o++]]):t[++o];a===3?s[0]=i:a===4?s[1]=Object.assign(s[1]||{},i):a===5?(s[1]=s[1]||{})[t[++o]]=i:a===6?s[1][t[++o]]+=i+"":a?(r=e.apply(i,Dt(e,i,n,["",null])),s.push(r),i[0]?t[0]|=2:(t[o-2]=0,t[o]=r)):s.push(i)}return s},Lt=new Map;function Rt(e){var t=Lt.get(this);return t||(t=new Map,Lt.set(this,t)),(t=Dt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,r,o=1,a="",i="",c=[0],$=function(f){o===1&&(f||(a=a.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,f,a):o===3&&(f||a)?(c.push(3,f,a),o=2):o===2&&a==="..."&&f?c.push(4,f,0):o===2&&a&&!f?c.push(5,0,!0,a):o>=5&&((a||!f&&o===5)&&(c.push(o,0,a,r),o=6),f&&(c.push(o,f,0,r),o=6)),a=""},l=0;l<n.length;l++){l&&(o===1&&$(),$(l));for(var m=0;m<n[l].length;m++)s=n[l][m],o===1?s==="<"?($(),c=[c],o=3):a+=s:o===4?a==="--"&&s===">"?(o=1,a=""):a=s+a[0]:i?s===i?i="":a+=s:s==='"'||s==="'"?i=s:s===">"?($(),o=1):o&&(s==="="?(o=5,r=a,a=""):s==="/"&&(o<5||n[l][m+1]===">")?($(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?($(),o=2):a+=s),o===3&&a==="!--"&&(o=4,c=c[0])}return $(),c})(e)),t),arguments,[])).length>1?t:t[0]}var u=Rt.bind(ft);var Y=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>Y.received.set(e,t);var Q=document.documentElement.dataset.root??"",q=e=>e.startsWith("data:image/")?e:Q+e.split("/").map(encodeURIComponent).join("/");function W(e){if(!Y.chunks.has(e)){let t=new Promise((n,s)=>{let r=document.createElement("script");r.src=q(`data/${e}.js`);let o=()=>{Y.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};r.onerror=o,r.onload=()=>{if(r.remove(),!Y.received.has(e))return o();n(Y.received.get(e)),Y.received.delete(e)},document.head.append(r)});Y.chunks.set(e,t)}return Y.chunks.get(e)}var Se=()=>W("site");function Z(e,t){let[n,s]=k({});return S(()=>{let r=!0;return e().then(o=>r&&s({value:o}),o=>r&&s({error:o})),()=>r=!1},t),[n.value,n.error]}var Me=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function At(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function j(e,{replace:t=!1}={}){let n=At(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function yn(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function Ge(){let[e,t]=k(Me);return S(()=>yn(()=>t(Me())),[]),e}async function he(e){let{block:t}=await Se(),n=Math.floor(e/t),s=await W(`items-${String(n).padStart(3,"0")}`);return Xe(s,e)}function Xe(e,t){let n=t-e.start,s=r=>r?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function se({tile:e,size:t,label:n="",className:s=""}){if(!e)return u`<span class="tile missing ${s}" style=${{width:ne(t),height:ne(t)}}></span>`;let r=t/e.tile,o=e.index%e.columns*t,a=Math.floor(e.index/e.columns)*t,i={width:ne(t),height:ne(t),backgroundImage:`url("${q(e.atlas)}")`,backgroundPosition:`-${ne(o)} -${ne(a)}`,backgroundSize:`${ne(e.columns*e.tile*r)} auto`};return u`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}function Ut({row:e,size:t=64}){let[n]=Z(()=>he(e),[e]);return u`<${se} tile=${n?.thumb} size=${t} label=${n?.name??""} />`}var Pe=e=>`${q("image.html")}#id=${e}`,ne=e=>`${Math.round(e*1e3)/1e3}px`;function C(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function B(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}async function wn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function L({text:e,children:t}){let[n,s]=k(!1);return u`<button type="button" class="quiet" onClick=${async()=>{await wn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function xn(){for(let e of document.querySelectorAll(".top nav [aria-current], .layers [aria-current]")){let[t,n]=[e.parentElement,e.getBoundingClientRect()],{left:s,right:r}=t.getBoundingClientRect();(n.left<s||n.right>r)&&(t.scrollLeft+=(n.left+n.right-s-r)/2)}}var Ye=()=>{document.body.dataset.ready!=="true"&&xn(),document.body.dataset.ready="true"};async function Qe(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var $e=async e=>Qe(await fetch(`${Q}api/${e}`)),K=async(e,t={})=>Qe(await fetch(`${Q}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function Ht(e){let t=new FormData;return t.append("photo",e,e.name||"pasted photo"),Qe(await fetch(`${Q}api/photos`,{method:"POST",body:t}))}async function A(e,t,n){let s=await K("answers",{model:e,task:t,arguments:n});if(s.status!=="done")throw new Error(s.error||`the job was ${s.status}`);return s}async function Ee(e,t,n,s){let r=await K("jobs",{model:e,task:t,arguments:n}),o=new EventSource(`${Q}api/jobs/${r.id}/events`);o.addEventListener("progress",i=>s(JSON.parse(i.data)));let a=!1;return o.addEventListener("end",i=>{a=!0,s(JSON.parse(i.data))}),o.onerror=()=>{o.close(),a||s({...r,status:"failed",error:"the connection to the server was lost"})},s(r),r.id}var It=e=>K(`jobs/${e}/cancel`),Te=new Map;function je(e){if(!Te.has(e)){let t=A(e,"model",{}).then(n=>n.result);t.catch(()=>Te.delete(e)),Te.set(e,t)}return Te.get(e)}async function Bt(e){let t=await fetch(e);if(!t.ok)throw new Error("the numbers of the map are no longer kept: run it again");return new Float32Array(await t.arrayBuffer())}var Ze=60;function Wt({photo:e,site:t,pages:n,onOpen:s,onError:r}){let o=H(),[a,i]=k(!1),[c,$]=k(!1),l=async p=>{$(!0);try{s(await p),r(null)}catch(h){r(h)}$(!1)},m=p=>{let h=[...p??[]].find(w=>w.size);h&&l(Ht(h))};S(()=>{let p=h=>h.clipboardData?.files?.length&&m(h.clipboardData.files);return document.addEventListener("paste",p),()=>document.removeEventListener("paste",p)},[]);let f=(p,h)=>{p.preventDefault(),i(h)};return u`<section class="card" aria-label="Photo">
    <div
      class="drop ${a?"over":""} ${e?"":"empty"}"
      onDragOver=${p=>f(p,!0)}
      onDragLeave=${p=>f(p,!1)}
      onDrop=${p=>{f(p,!1),m(p.dataTransfer.files)}}
    >
      ${e?u`<img src=${`api/photos/${e.id}.jpg`} alt=${e.name} class=${e.width<=64?"crisp":""} />`:u`<p><b>Drop a photo here</b><br /><span class="muted">or paste it, or choose one below</span></p>`}
    </div>
    ${e&&u`<p class="photo-name"><b>${e.name}</b> <span class="muted">${e.width} × ${e.height}</span></p>`}
    <div class="bar-of-controls">
      <button type="button" onClick=${()=>o.current.click()} disabled=${c}>
        ${c?"Opening…":"Choose a file"}
      </button>
      <input ref=${o} type="file" accept="image/*" class="offscreen" aria-label="Photo file" tabindex="-1"
        onChange=${p=>{m(p.target.files),p.target.value=""}} />
    </div>
    <${kn} site=${t} pages=${n} chosen=${e?.row} onChoose=${p=>l(K("rows",{row:p}))} />
  </section>`}function kn({site:e,pages:t,chosen:n,onChoose:s}){let[r,o]=k([]),[a,i]=k(""),c=e?.count??0;S(()=>{c&&W("items-000").then(h=>o([h]),()=>{})},[c]);let $=Je(()=>r.flatMap(h=>h.names.map((w,g)=>Xe(h,h.start+g))),[r]),l=async()=>{let h=await W(`items-${String(r.length).padStart(3,"0")}`);o([...r,h])};if(t&&!c)return u`<p class="muted small" role="status">The images of the run appear here when its pages have been written.
      ${t.progress.total?` ${Math.round(100*t.progress.done/t.progress.total)} %`:""}</p>`;if(!c)return null;let m=a.toLowerCase().split(/\s+/).filter(Boolean),f=h=>`${h.name} ${e.classes[h.label]??""} ${e.outputs[h.predicted]??""}`.toLowerCase(),p=$.filter(h=>m.every(w=>f(h).includes(w)));return u`<div class="picker">
    <input type="search" value=${a} placeholder=${`Search ${c} images of the run`} aria-label="Search the images of the run"
      onInput=${h=>i(h.target.value)} />
    <div class="thumbs" tabindex="-1">
      ${p.slice(0,Ze).map(h=>u`<button type="button" key=${h.row} aria-pressed=${h.row===n}
          title=${h.name} aria-label=${h.name} onClick=${()=>s(h.row)}><${se} tile=${h.thumb} size=${52} /></button>`)}
    </div>
    <p class="small muted">${p.length} of ${$.length}${p.length>Ze?`, the first ${Ze} shown`:""}
      ${$.length<c&&u` <button type="button" class="quiet" onClick=${l}>Load more</button>`}</p>
  </div>`}function zt(e,t,n){let[s,r]=k(null);return S(()=>{let o=!0;return r(null),t&&A(e,"predict",{photo:t.id}).then(a=>o&&r(a),a=>o&&n(a)),()=>o=!1},[e,t?.id]),s}function Ne({classes:e,chosen:t,onChoose:n,caption:s}){return u`<ol class="classes" aria-label=${s}>
    ${e.map(r=>{let o=r.probability??0;return u`<li key=${r.index}>
        <button type="button" aria-pressed=${t===r.label} disabled=${!n} onClick=${()=>n?.(r.label)}>
          <span class="name">${r.label}</span>
          <span class="value">${r.probability===null?C(r.score):B(o)}</span>
          <span class="bar" aria-hidden="true"><i style=${{width:`${100*o}%`}}></i></span>
        </button>
      </li>`})}
  </ol>`}var Cn=12;function Ft(e){let t=(e??"").split(",").map(Number);return t.length===4&&t.every(Number.isInteger)?t:null}function qt({model:e,photo:t,state:n,job:s,onError:r}){let o=H(),[a,i]=k(null),[c,$]=k(null),[l,m]=k(null),[f,p]=k([]),[h,w]=k(""),g=H(0),M=c?.box??Ft(n.box),b=n.target??"",y=async d=>{let _=++g.current,P=performance.now();try{let{result:E}=await A(e,"cover",{photo:t.id,box:d,target:b});if(_!==g.current)return;let I=performance.now()-P;m({...E,box:d,latency:I}),p(V=>[{...E,box:d},...V.filter(me=>me.box.join()!==d.join())].slice(0,Cn)),r(null)}catch(E){_===g.current&&r(E)}};if(S(()=>{m(null),p([])},[t?.id,e,b]),S(()=>{t&&s&&A(e,"prepare_cover",{photo:t.id}).catch(r)},[t?.id,e,!!s]),S(()=>{let d=Ft(n.box);t&&a&&d&&y(d)},[t?.id,e,b,n.box,!!a]),!t)return u`<p class="card muted">Choose a photo first.</p>`;if(!s)return u`<p class="card muted" role="status">Running the model…</p>`;let x=d=>{let _=o.current.getBoundingClientRect(),P=(E,I)=>Math.round(Math.min(1,Math.max(0,E))*I);return[P((d.clientX-_.left)/_.width,a[0]),P((d.clientY-_.top)/_.height,a[1])]},D=([d,_],[P,E])=>{let I=Math.min(d,P,a[0]-1),V=Math.min(_,E,a[1]-1);return[I,V,Math.max(d,P,I+1),Math.max(_,E,V+1)]},z=d=>{if(d.button!==0||!a)return;d.preventDefault(),o.current.focus(),o.current.setPointerCapture(d.pointerId);let _=x(d);$({from:_,box:D(_,_)})},F=d=>c&&$({...c,box:D(c.from,x(d))}),R=d=>{if(!c)return;let _=D(c.from,x(d));$(null),_.join()===n.box&&y(_),j({box:_.join()})},J=d=>{let _={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]};if(!_[d.key]||!a)return;d.preventDefault();let P=Math.max(1,Math.round(a[0]/32)),[E,I]=_[d.key].map(ln=>ln*P),[V,me,ot,at]=M??[a[0]*.375,a[1]*.375,a[0]*.625,a[1]*.625].map(Math.round),re=d.shiftKey?[V,me,ot+E,at+I]:[V+E,me+I,ot+E,at+I],rt=Math.max(1,Math.min(a[0],re[2]-re[0])),it=Math.max(1,Math.min(a[1],re[3]-re[1])),lt=Math.min(a[0]-rt,Math.max(0,re[0])),ct=Math.min(a[1]-it,Math.max(0,re[1]));j({box:[lt,ct,lt+rt,ct+it].join()},{replace:!0})},U=()=>Ee(e,"prepare_cover",{photo:t.id,exports:!0},d=>{w(d.status==="running"||d.status==="queued"?"preparing…":d.result?.reason||d.error||"ready")}).catch(r),v=([d,_,P,E])=>({left:`${100*d/a[0]}%`,top:`${100*_/a[1]}%`,width:`${100*(P-d)/a[0]}%`,height:`${100*(E-_)/a[1]}%`});return u`<div class="split">
    <section class="card">
      <h2>Cover a part of the photo</h2>
      <p class="note">Drag a rectangle. It is filled with the mean colour, and the score is computed exactly.
        With the keyboard: arrows move it, <kbd>Shift</kbd> and arrows resize it.</p>
      <div class="cover-stage" ref=${o} tabindex="0" role="application" aria-label="Photo: drag a rectangle, or use the arrow keys"
        onPointerDown=${z} onPointerMove=${F} onPointerUp=${R} onPointerCancel=${()=>$(null)} onKeyDown=${J}>
        <img src=${s.files["photo.png"]} alt=${t.name} draggable=${!1}
          class=${a&&a[0]<=64?"crisp":""} onLoad=${d=>i([d.target.naturalWidth,d.target.naturalHeight])} />
        ${a&&M&&u`<span class="rectangle" style=${v(M)}></span>`}
      </div>
    </section>
    <section class="card stack" aria-live="polite">
      <h2>Score</h2>
      ${l?u`<${Mn} answer=${l} />`:u`<p class="muted">No rectangle yet.</p>`}
      ${l&&u`<div><h3>Most probable classes with it covered</h3><${Ne} classes=${l.top} caption="Classes with the rectangle covered" /></div>
        <p class="small muted" id="latency" data-latency=${l.latency} data-seconds=${l.seconds} data-pass=${l.full_pass}>
          ${`${Math.round(l.latency)} ms from the mouse to the number; `}
          ${l.incremental?`only what the rectangle changes was computed, in ${C(1e3*l.seconds,2)} ms (a full pass of the unchanged photo took ${C(1e3*l.full_pass,2)} ms). `:`one full forward pass took ${C(1e3*l.seconds,2)} ms. `}
          ${l.may_be_faster&&!h&&u`<button type="button" class="quiet" onClick=${U}>Prepare the incremental engine</button>`}
          ${h&&u`<span role="status"> Incremental engine: ${h}.</span>`}</p>
        <p class="actions"><${L} text=${l.python}>Copy Python</${L}></p>`}
      ${f.length>1&&u`<div><h3>Rectangles so far</h3><ol class="history">${[...f].sort((d,_)=>d.after-_.after).map(d=>u`<li key=${d.box.join()}>
        <button type="button" class="quiet" onClick=${()=>j({box:d.box.join()})}>${d.box.join(", ")}</button>
        <span class="number">${Vt(d.after-d.before)}</span></li>`)}</ol></div>`}
    </section>
  </div>`}var Vt=e=>`${e<0?"−":"+"}${C(Math.abs(e),3)}`;function Mn({answer:e}){let t=e.after-e.before;return u`<dl class="facts score-facts">
    <div><dt>${e.label}: score</dt><dd id="covered-score">${C(e.after,4)} <span class=${t<0?"down":"up"}>${Vt(t)}</span></dd></div>
    <div><dt>Unchanged photo</dt><dd>${C(e.before,4)}</dd></div>
    ${e.probability_after!==null&&u`<div><dt>Probability</dt><dd>${B(e.probability_before)} → ${B(e.probability_after)}</dd></div>`}
  </dl>`}function Sn(e){let t=(e.anyOf??[e]).filter(n=>n.type!=="null");return t.length===1?{...e,...t[0]}:{}}function Pn({field:e,value:t,onChange:n,layers:s}){let r=Sn(e.schema),o=`parameter-${e.name}`,a={id:o,"aria-describedby":`${o}-about`,onChange:$=>n($.target.value)},i=`default: ${e.default}`,c;if(r.enum||r.type==="boolean"){let $=r.enum??["true","false"];c=u`<select ...${a} value=${t}>
      <option value="">${i}</option>
      ${$.map(l=>u`<option value=${String(l)}>${String(l)}</option>`)}
    </select>`}else if(r.type==="integer"||r.type==="number"){let $=r.type==="integer"?1:"any",l=r.minimum??r.exclusiveMinimum,m=r.maximum??r.exclusiveMaximum;c=u`<input type="number" ...${a} value=${t} placeholder=${i} step=${$} min=${l} max=${m} />`}else{let $=["layer","layers"].includes(e.name)?"layer-names":void 0;c=u`<input type="text" ...${a} value=${t} placeholder=${i} list=${$} />`}return u`<div class="parameter">
    <label for=${o}>${e.name}</label>
    ${c}
    <p id=${`${o}-about`} class="small muted">${e.description} <span class="allowed">${e.allowed}</span></p>
  </div>`}function Kt({explainer:e,values:t,onChange:n,layers:s}){let r=Object.keys(t).length,[o,a]=k(r>0);return u`<details class="parameters" open=${o} onToggle=${i=>a(i.currentTarget.open)}>
    <summary>Parameters of ${e.name}${r?` (${r} changed)`:""}</summary>
    <datalist id="layer-names">${s.map(i=>u`<option value=${i.name}></option>`)}</datalist>
    <div class="grid-of-parameters">
      ${e.fields.map(i=>u`<${Pn} key=${`${e.name}.${i.name}`} field=${i} layers=${s}
        value=${t[i.name]??""} onChange=${c=>n(i.name,c)} />`)}
    </div>
  </details>`}var Jt=255,Gt=e=>e.match(/../g).map(t=>parseInt(t,16));function Tn(e,t,n,s,r){let{width:o,height:a}=t;e.width=o,e.height=a;let i=new ImageData(o,a),c=Gt(t.colours),$=c.length/3-1,[l,m]=s;for(let f=0;f<n.length;f++){let p=n[f];if(Number.isNaN(p))continue;let h=Math.min(1,Math.max(0,(p-l)/(m-l||1))),w=3*Math.round(h*$);i.data.set(c.slice(w,w+3),4*f);let g=t.signed?Math.min(1,Math.abs(p)/m):h;i.data[4*f+3]=r?Math.round(Jt*g):Jt}e.getContext("2d").putImageData(i,0,0)}function oe({photo:e,map:t,mapFile:n,imageFile:s,view:r,range:o,cursor:a,onCursor:i,onPick:c,label:$,children:l}){let m=H(),[f,p]=k(null);S(()=>{let y=!0;return p(null),Bt(n).then(x=>y&&p(x),()=>{}),()=>y=!1},[n]);let h=o??[t.low,t.high];S(()=>{!f||s||Tn(m.current,t,f,h,r.layer==="overlay")},[f,r.layer,h[0],h[1]]);let w=y=>{let x=y.currentTarget.getBoundingClientRect(),D=z=>Math.min(.9999,Math.max(0,z));return[D((y.clientX-x.left)/x.width),D((y.clientY-x.top)/x.height)]},g=f&&a?f[et(t,a).index]:null,M={opacity:r.layer==="photo"?0:r.layer==="map"?1:r.opacity,imageRendering:r.smooth?"auto":"pixelated"},b=s?u`<img class="over" src=${s} alt="" style=${M} />`:u`<canvas class="over" ref=${m} style=${M}></canvas>`;return u`<div class="map-view">
    <div
      class="map-stage ${c?"pickable":""}"
      onPointerMove=${y=>i(w(y))}
      onPointerLeave=${()=>i(null)}
      onClick=${c&&(y=>c(et(t,w(y))))}
    >
      <img src=${e} alt=${$} />
      ${b}
      ${a&&u`<span class="cross-x" style=${{left:`${a[0]*100}%`}}></span>
        <span class="cross-y" style=${{top:`${a[1]*100}%`}}></span>`}
      ${l}
    </div>
    <${jn} map=${t} range=${h} hidden=${!!s} />
    <p class="readout" aria-live="off">
      ${a&&f?u`<b>${C(g,4)}</b> ${t.unit} at ${En(t,a)}`:u`<span class="muted">${t.unit}</span>`}
    </p>
  </div>`}function et(e,[t,n]){let s=Math.floor(t*e.width),r=Math.floor(n*e.height);return{row:r,column:s,index:r*e.width+s}}function En(e,t){let{row:n,column:s}=et(e,t);return`row ${n}, column ${s}`}function jn({map:e,range:t,hidden:n}){let s=H();if(S(()=>{if(n)return;let o=Gt(e.colours),a=o.length/3,i=new ImageData(a,1);for(let c=0;c<a;c++)i.data.set([...o.slice(3*c,3*c+3),255],4*c);s.current.width=a,s.current.height=1,s.current.getContext("2d").putImageData(i,0,0)},[e.colours,n]),n)return u`<p class="legend-words">Mid-grey is zero; a tint shows which channels are above or below zero.</p>`;let r=e.signed?`${C(t[0])} blue, 0 white, ${C(t[1])} red`:`${C(t[0])} dark, ${C(t[1])} bright`;return u`<div class="legend" role="img" aria-label=${`Colours: ${r}`}>
    <span>${C(t[0])}</span><canvas ref=${s}></canvas><span>${C(t[1])}</span>
  </div>`}var Nn=24,On=0;function Ln(e){let[t,n]=k(null);return S(()=>{A(0,"explainers",{}).then(r=>n(r.result),e)},[]),[t,async r=>{try{let{result:o}=await A(0,"explainers",{family:r});n(a=>({...a,explainers:[...a.explainers,...o.explainers],families:a.families.filter(i=>i!==r)}))}catch(o){e(o)}}]}var Dn=e=>Object.fromEntries(Object.entries(e).filter(([t])=>t.startsWith("p.")).map(([t,n])=>[t.slice(2),n]));function Xt({models:e,model:t,photo:n,state:s,prediction:r,onError:o}){let[a,i]=Ln(o),[c,$]=k(null),[l,m]=k([]),[f,p]=k({layer:"overlay",opacity:.8,smooth:!1,shared:!1}),[h,w]=k(!1),[g,M]=k(null);if(S(()=>{je(t).then($,o)},[t]),S(()=>{let v=P=>P.target.matches?.("input, textarea, select, button, summary, a"),d=P=>{P.key!==" "||v(P)||(P.preventDefault(),w(!0))},_=P=>P.key===" "&&w(!1);return document.addEventListener("keydown",d),document.addEventListener("keyup",_),()=>{document.removeEventListener("keydown",d),document.removeEventListener("keyup",_)}},[]),!a)return u`<p class="card muted" role="status">Loading the model and its explainers…</p>`;let b=a.explainers.find(v=>v.name===s.explainer)??a.explainers.find(v=>v.name==="occlusion")??a.explainers[0],y=Dn(s),x=(v,d)=>m(_=>_.map(P=>P.key===v?{...P,...d}:P)),D=async(v,d)=>{let _=++On,P={key:_,model:v,explainer:b.name,photo:n,target:d,job:null};m(E=>[P,...E].slice(0,Nn));try{let E=b.needs_image,I={explainer:b.name,parameters:y,target:d,photo:E?n.id:null};await Ee(v,"explain",I,V=>x(_,{job:V}))}catch(E){x(_,{job:{status:"failed",error:E.message,progress:{}}})}},z=v=>{v.preventDefault();let d=s.run==="classes"&&r?r.map(P=>String(P.index)).slice(0,3):[s.target??""],_=s.run==="models"?e.map((P,E)=>E):[t];for(let P of _)for(let E of d)D(P,E)},F=tt(a.explainers,v=>v.distribution),R=b.needs_image&&!n,J=h?{...f,layer:"photo"}:f,U=f.shared?Rn(l):new Map;return u`<div class="stack">
    <form class="card explain-form" onSubmit=${z}>
      <div class="bar-of-controls">
        <label class="field">Explainer
          <select name="explainer" value=${b.name} onChange=${v=>{if(v.target.value.startsWith("+"))return i(v.target.value.slice(1));let d=Object.fromEntries(Object.keys(y).map(_=>[`p.${_}`,null]));return j({...d,explainer:v.target.value})}}>
            ${[...F].map(([v,d])=>u`<optgroup label=${v}>
              ${d.map(_=>u`<option value=${_.name}>${_.name}</option>`)}</optgroup>`)}
            ${a.families.length>0&&u`<optgroup label="load more">
              ${a.families.map(v=>u`<option value=${`+${v}`}>${v}.…</option>`)}</optgroup>`}
          </select></label>
        ${b.uses_target&&u`<label class="field">Target
          <input type="text" name="target" list="targets" value=${s.target??""} placeholder="the most probable class"
            onChange=${v=>j({target:v.target.value})} /></label>
          <datalist id="targets">${(c?.labels??[]).slice(0,2e3).map(v=>u`<option value=${v}></option>`)}</datalist>`}
        ${b.uses_target&&u`<label class="field">Run for
          <select name="run" value=${s.run??""} onChange=${v=>j({run:v.target.value})}>
            <option value="">this target</option>
            <option value="classes">the three most probable classes</option>
            ${e.length>1&&u`<option value="models">all models</option>`}
          </select></label>`}
        <button type="submit" class="primary" disabled=${R}>Run</button>
        ${R&&u`<span class="muted small">Choose a photo first.</span>`}
      </div>
      <p class="note">${b.summary} <span class="badge">${b.distribution||"this session"}</span>
        ${b.needs_run&&u` Write <code>@run</code> for the run that is open.`}</p>
      <${Kt} explainer=${b} values=${y} layers=${c?.layers??[]}
        onChange=${(v,d)=>j({[`p.${v}`]:d})} />
    </form>
    ${Object.entries(a.unavailable).map(([v,d])=>u`<p class="note">${v}: ${d}</p>`)}
    ${l.length>0&&u`<${An} view=${f} onChange=${p} count=${l.length} onClear=${()=>m([])} />`}
    <div class="cards" role="list" aria-label="Results">
      ${l.map(v=>u`<${Un} key=${v.key} card=${v} models=${e} view=${J}
        range=${U.get(v.key)} cursor=${g} onCursor=${M} onError=${o}
        onRemove=${()=>m(d=>d.filter(_=>_.key!==v.key))} />`)}
    </div>
    <${Wn} cards=${l} />
  </div>`}function tt(e,t){let n=new Map;for(let s of e){let r=t(s)||"this session";n.set(r,[...n.get(r)??[],s])}return n}function Rn(e){let t=e.filter(s=>s.job?.result?.map&&!s.job.files["map.png"]),n=new Map;for(let[,s]of tt(t,r=>`${r.job.result.map.unit}|${r.job.result.map.signed}`)){let r=Math.min(...s.map(a=>a.job.result.map.low)),o=Math.max(...s.map(a=>a.job.result.map.high));for(let a of s)n.set(a.key,[r,o])}return n}function An({view:e,onChange:t,count:n,onClear:s}){let r=a=>t({...e,...a}),o=(a,i)=>u`<button type="button" aria-pressed=${e.layer===a} onClick=${()=>r({layer:a})}>${i}</button>`;return u`<div class="bar-of-controls view-controls" role="group" aria-label="View of the maps">
    <span class="joined">${o("overlay","Over photo")}${o("map","Map")}${o("photo","Photo")}</span>
    <label class="field">Opacity <input type="range" min="0" max="1" step="0.05" value=${e.opacity}
      onInput=${a=>r({opacity:Number(a.target.value)})} /></label>
    <label class="field"><input type="checkbox" checked=${e.smooth} onChange=${a=>r({smooth:a.target.checked})} /> Smooth</label>
    <label class="field"><input type="checkbox" checked=${e.shared} onChange=${a=>r({shared:a.target.checked})} /> One scale per unit</label>
    <span class="muted small">Hold <kbd>Space</kbd> for the photo alone.</span>
    <button type="button" class="quiet" onClick=${s}>Remove all ${n}</button>
  </div>`}function Un({card:e,models:t,view:n,range:s,cursor:r,onCursor:o,onRemove:a,onError:i}){let{job:c,explainer:$}=e,l=c?.result,m=l?.targets?.[0],f=u`<header class="card-head">
    <h2>${$}${l?.layer?u` <span class="muted">${l.layer}</span>`:""}</h2>
    <button type="button" class="quiet" aria-label=${`Remove ${$}`} onClick=${a}>✕</button>
    <p class="small muted">
      ${m&&u`<b>${m.label}</b> ${m.quantity} ${C(m.score,4)} · `}
      ${t.length>1&&u`${t[e.model].name} · `}${e.photo?.name??""}
      ${l&&u` · ${C(l.seconds,2)} s`}</p>
  </header>`;return u`<article class="card result" role="listitem" data-status=${c?.status??"starting"}>
    ${f}<${Hn} card=${e} view=${n} range=${s} cursor=${r} onCursor=${o} onError=${i} />
  </article>`}function Hn({card:e,view:t,range:n,cursor:s,onCursor:r,onError:o}){let{job:a}=e;if(!a||a.status==="queued"||a.status==="running"){let{description:l,done:m,total:f}=a?.progress??{};return u`<div class="running" role="status">
      <progress max=${f||void 0} value=${f?m:void 0}></progress>
      <p class="small muted">${a?.status==="running"?l||"computing":"waiting for the model"}
        ${f?` ${Math.round(m)} of ${Math.round(f)}`:""}</p>
      ${a?.id&&u`<button type="button" onClick=${()=>It(a.id).catch(o)}>Cancel</button>`}
    </div>`}if(a.status==="cancelled")return u`<p class="muted" role="status">Cancelled.</p>`;if(a.status==="failed")return u`<p class="problem" role="alert">${a.error}</p>`;let{result:i,files:c}=a,$=i.map&&c["photo.png"];return u`
    ${$?u`<${oe} photo=${c["photo.png"]} map=${i.map} mapFile=${c["values.bin"]} imageFile=${c["map.png"]}
          view=${t} range=${n} cursor=${s} onCursor=${r} label=${e.photo?.name??""} />`:u`<${In} pictures=${i.pictures} files=${c} />`}
    ${i.notes.map(l=>u`<p class="note">${l}</p>`)}
    ${i.map?.note&&u`<p class="note">${i.map.note}</p>`}
    <details class="small"><summary>Numbers and parameters</summary>
      <dl class="pairs">${i.measures.map(([l,m])=>u`<div><dt>${l}</dt><dd>${m}</dd></div>`)}
        ${Object.entries(i.parameters).map(([l,m])=>u`<div><dt>${l}</dt><dd>${m}</dd></div>`)}</dl>
    </details>
    <${Bn} card=${e} onError=${o} />`}function In({pictures:e,files:t}){let n=s=>u`<figure key=${s.file}>
    <a href=${t[s.file]} target="_blank" rel="noopener"><img class="picture" src=${t[s.file]} alt=${s.caption} /></a>
    <figcaption class="small muted">${s.caption}</figcaption></figure>`;return u`${e.slice(0,1).map(n)}
    ${e.length>1&&u`<details><summary>${e.length-1} further pictures</summary>${e.slice(1).map(n)}</details>`}`}function Bn({card:e,onError:t}){let{result:n,files:s}=e.job,r=async o=>{try{let a=await A(e.model,"draw",{result:n.result,format:o}),[[i,c]]=Object.entries(a.files),$=document.createElement("a");$.href=c,$.download=`${e.explainer}-${i}`,$.click()}catch(a){t(a)}};return u`<p class="actions">
    <${L} text=${n.python}>Copy Python</${L}>
    <${L} text=${n.shell}>Copy shell</${L}>
    ${["png","svg","pdf"].map(o=>u`<button type="button" class="quiet" onClick=${()=>r(o)}>${o.toUpperCase()}</button>`)}
    ${s["values.bin"]&&u`<a class="quiet button" href=${s["values.bin"]} download=${`${e.explainer}.f32`} title="float32, row by row">Numbers</a>`}
  </p>`}function Wn({cards:e}){let[t,n]=k(null),r=[...tt(e.filter(c=>c.job?.status==="done"&&c.job.result.map),c=>`${c.model}|${c.photo?.id}`).values()].find(c=>c.length>1)?.slice(0,6).reverse()??[],o=r.map(c=>c.job.result.result).join(),a=H(o);if(a.current=o,S(()=>{n(null),!(r.length<2)&&A(r[0].model,"agreement",{results:o.split(",")}).then(c=>a.current===o&&n(c.result.pairs),()=>{})},[o]),!t)return null;let i=c=>`${r[c].explainer}${r[c].job.result.targets[0]?`, ${r[c].job.result.targets[0].label}`:""}`;return u`<section class="card"><h2>Agreement of the maps</h2>
    <div class="scroll"><table><thead><tr><th>maps</th><th class="number">rank correlation</th><th class="number">overlap of the strongest tenth</th></tr></thead>
    <tbody>${t.map(c=>u`<tr><th>${i(c.pair[0])} — ${i(c.pair[1])}</th>
      ${c.reason?u`<td colspan="2" class="muted">${c.reason}</td>`:u`<td class="number">${C(c.rank_correlation,2)}</td><td class="number">${B(c.overlap)}</td>`}</tr>`)}
    </tbody></table></div></section>`}function Yt({model:e,photo:t,site:n,state:s,onError:r}){let[o,a]=k(null),i=Math.min(100,Math.max(1,Number(s.k)||12));if(S(()=>{let l=!0;a(null);let m=s.near||null;return t&&A(e,"neighbours",{photo:t.id,k:i,layer:m}).then(f=>l&&a(f),f=>l&&(r(f),a({failed:!0}))),()=>l=!1},[e,t?.id,i,s.near]),!t)return u`<p class="card muted">Choose a photo first.</p>`;if(!o)return u`<p class="card muted" role="status">Searching the run…</p>`;if(o.failed)return null;let{result:c}=o,$=(n?.count??0)>0;return u`<section class="card">
    <div class="head"><h2>Nearest images of the run</h2><span class="sub">${c.unit} of ${c.layer}</span>
      ${c.layers.length>1&&u`<label class="field">Features of <select name="near" value=${c.layer} onChange=${l=>j({near:l.target.value})}>
        ${c.layers.map(l=>u`<option key=${l} value=${l}>${l}</option>`)}</select></label>`}
      <label class="field">Show <input type="number" min="1" max="100" value=${i} onChange=${l=>j({k:l.target.value})} /></label>
      <${L} text=${c.python}>Copy Python</${L}></div>
    <ol class="neighbours">${c.found.map(l=>u`<li key=${l.id}>
      <a href=${$&&l.row!==null?Pe(l.row):`#row=${l.row}&mode=neighbours`}>
        ${$&&l.row!==null?u`<${Ut} row=${l.row} size=${112} />`:u`<span class="tile missing"></span>`}
        <span class="name">${$&&l.row!==null?u`<${zn} row=${l.row} site=${n} />`:l.class??l.id}</span></a>
      ${l.row!==null&&l.row===t.row?u`<span class="badge">this photo</span>`:u`<span class="small muted">${C(l.distance,3)}</span>`}
      <button type="button" class="quiet small" onClick=${()=>j({row:l.row})} disabled=${l.row===null||l.row===t.row}>Open</button></li>`)}</ol>
  </section>`}function zn({row:e,site:t}){let[n]=Z(()=>he(e),[e]);return u`${n?t.classes[n.label]??n.name:""}`}var Fn=64,ae=e=>`${(100*e).toFixed(3)}%`;function Qt([e,t],n){let[s,r,o,a]=n??[0,0,t,e],i=Math.max(o-s,a-r),c=(s+o-i)/2,$=(r+a-i)/2;return{width:t/i,height:e/i,left:-c/i,top:-$/i}}var qn=([e,t],[n,s,r,o])=>({left:n/t,top:s/e,width:(r-n)/t,height:(o-s)/e}),nt=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,ae(n)]));function Vn(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=ae((1-(e[2]-e[0])/t)/2);return`inset(${ae((1-(e[3]-e[1])/t)/2)} ${n})`}function Kn({patch:e,mode:t,guided:n,alt:s}){let{image:r,box:o}=e;if(t==="guided"&&n){let c={width:ae(n.columns),height:ae(n.rows),left:ae(-n.rank),top:ae(-n.row)};return u`<img src=${q(n.atlas)} alt=${s} style=${c} />`}if(!r?.preview&&r?.thumb)return u`<${se} tile=${r.thumb} size=${Fn} label=${s} className="centered" />`;if(!r?.preview)return u`<span class="no-photo">${r?"photo not available":"not in this report"}</span>`;let a=Math.max(...r.size)<=64?"crisp":"";if(t==="whole"||!o)return u`<span class="photo" style=${nt(Qt(r.size,null))}>
      <img class=${a} src=${q(r.preview)} alt=${s} />
      ${o&&u`<span class="box" style=${nt(qn(r.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":a;return u`<span class="window" style=${{clipPath:Vn(o)}}>
    <img class=${i} src=${q(r.preview)} alt=${s} style=${nt(Qt(r.size,o))} /></span>`}function st({patch:e,rank:t,mode:n,site:s,guided:r,isMeant:o,isLoading:a}){let{image:i}=e,c=i?.label===null||i?.label===void 0?"":s.classes[i.label],$=i?.name??"",l=c||$,m=i&&s.has.images?Pe(i.row):null,f=`top ${t+1}: ${l}, activation ${C(e.value)}`,p=u`<span class="frame">${!a&&u`<${Kn} ...${{patch:e,mode:n,guided:r,alt:f}} />`}</span>`;return u`<figure class=${o?"":"faded"}>
    ${m?u`<a href=${m} title=${$}>${p}</a>`:u`<span title=${$}>${p}</span>`}
    <figcaption><b>${C(e.value)}</b> <span title=${l}>${l}</span>
      ${i?.correct===!1&&u`<span class="badge bad" title=${`predicted: ${s.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Gn=130,Fs=Gn-22;var Xn=(e,t)=>String(Math.floor(e/t)).padStart(3,"0");async function Zt(e,t,n,s="units"){let o=(await W(`layer/${e}/${s}-${Xn(t,n.block)}`))[t%n.block],a=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await he(i.row)})));return{...o,patches:a}}var ie=420,Oe=96,fe=Oe-20;function en({place:e}){if(!e)return null;if(e.problem)return u`<p class="problem">${e.problem}</p>`;let{value:t,rank:n,best:s,images:r,histogram:o}=e,a=n<=s.length?`place ${n} among the ${s.length} top patches of the ${r} images`:`below the ${s.length} top patches of the ${r} images, which reach from ${C(s.at(-1))} to ${C(s[0])}`;return u`<div class="place-in-run">
    <p>In the run this photo (${C(t,4)}) would be <b>${a}</b>.</p>
    ${o&&u`<${Yn} ...${o} value=${t} />`}
  </div>`}function Yn({edges:e,counts:t,below:n,not_above:s,value:r}){let o=Math.log10(Math.max(...t)+1),a=ie/t.length,[i,c]=[e[0],e.at(-1)],$=Math.min(ie-1.5,Math.max(1.5,ie*(r-i)/(c-i||1))),m=`${n===s?B(n):`${B(n)} to ${B(s)}`} of the images have a lower maximum than ${C(r)}`;return u`<svg class="histogram" viewBox="0 0 ${ie} ${Oe}" role="img" aria-label=${m}>
      ${t.map((f,p)=>{let h=f?Math.max(1.5,(fe-8)*Math.log10(f+1)/o):0;return u`<rect key=${p} class="fires" x=${p*a+.5} y=${fe-h} width=${Math.max(.5,a-1)} height=${h} />`})}
      <line x1="0" x2=${ie} y1=${fe+.5} y2=${fe+.5} />
      <line class="mark" x1=${$} x2=${$} y1="0" y2=${fe} />
      <text x="0" y=${Oe-5}>${C(i)}</text>
      <text x=${ie} y=${Oe-5} text-anchor="end">${C(c)}</text>
    </svg>
    <p class="note">${m} (the line). Highest value of each image; heights are logarithmic.</p>`}function tn({site:e,layer:t,unit:n}){let r=e?.layers?.find(c=>c.name===t&&c.pages.layer)?.slug,[o,a]=Z(async()=>{if(!r)return null;let c=await W(`layer/${r}/units`);return n<c.count?Zt(r,n,c):null},[r,n]);if(a||!o?.patches.length||o.unit!==n)return null;let i=o.patches[0].value;return u`<section class="card" aria-labelledby="top-title">
    <h2 id="top-title">Top patches of unit ${n} in the run</h2>
    <ol class="patches in-a-row">${o.patches.map((c,$)=>u`<li key=${$}>
      <${st} ...${{patch:c,rank:$,mode:"crop",site:e,highest:i,guided:null,isMeant:!0}} />
      ${c.row!==null&&u`<a class="small" href=${`#row=${c.row}&mode=units&${new URLSearchParams({layer:t,unit:n})}`}>Open here</a>`}
    </li>`)}</ol>
  </section>`}var Qn={layer:"overlay",opacity:.85,smooth:!1},nn=512,Zn={layer:"map",opacity:1,smooth:!1};function on({model:e,photo:t,site:n,state:s,canNote:r,onError:o}){let[a,i]=k(null),[c,$]=k(null),[l,m]=k(null),[f,p]=k(null);S(()=>{i(null),je(e).then(i,o)},[e]);let h=(a?.layers??[]).filter(d=>d.shape.length===3),w=h.find(d=>d.default_for.includes("activations"))??h.at(-1),g=h.find(d=>d.name===s.layer)??w,M=/^\d+$/.test(s.unit??"")?Math.min(Number(s.unit),(g?.shape[0]??1)-1):null,b=M??c?.result.unit??0,y=/^\d+,\d+$/.test(s.at??"")?s.at.split(",").map(Number):null;if(S(()=>{let d=!0;return $(null),t&&g&&A(e,"unit_map",{photo:t.id,layer:g.name,unit:M}).then(_=>d&&$(_),_=>d&&o(_)),()=>d=!1},[e,t?.id,g?.name,M]),S(()=>{let d=!0;return m(null),t&&g&&y&&A(e,"unit_gradient",{photo:t.id,layer:g.name,unit:b,y:y[0],x:y[1]}).then(_=>d&&m(_),_=>d&&o(_)),()=>d=!1},[e,t?.id,g?.name,b,s.at]),!a)return u`<p class="card muted" role="status">Loading the model…</p>`;if(!g)return u`<p class="card muted">The model has no layer with maps.</p>`;let x=d=>j({at:null,...d}),D=g.shape[0],{pages:z,slug:F}=n?.layers?.find(d=>d.name===g.name)??{},R=z?.layer,[J,U]=g.shape.slice(1),v=l?.result.box;return u`<div class="stack">
    <div class="card bar-of-controls">
      <label class="field">Layer <select name="layer" value=${g.name} onChange=${d=>x({layer:d.target.value,unit:null})}>
        ${h.map(d=>u`<option value=${d.name}>${d.name} · ${d.shape.join(" × ")}</option>`)}</select></label>
      <span class="unit-choice" role="group" aria-label="Unit">
        <button type="button" aria-label="Previous unit" disabled=${b<=0} onClick=${()=>x({layer:g.name,unit:b-1})}>←</button>
        <label class="field">Unit <input type="number" name="unit" min="0" max=${D-1} value=${b}
          onChange=${d=>x({layer:g.name,unit:d.target.value})} /></label>
        <button type="button" aria-label="Next unit" disabled=${b>=D-1} onClick=${()=>x({layer:g.name,unit:b+1})}>→</button>
        <span class="muted">of ${D}</span></span>
      ${R&&u`<a href=${`${q(R)}#unit=${b}`}>Page of this unit</a>`}
    </div>
    ${c&&u`<section class="card" aria-labelledby="strongest-title">
      <h2 id="strongest-title">Most active units of ${g.name} on this photo</h2>
      <ol class="strongest">${c.result.strongest.map(d=>u`<li key=${d.unit}><button type="button"
        aria-pressed=${String(d.unit===b)} onClick=${()=>x({layer:g.name,unit:d.unit})}>
        ${R&&u`<${es} slug=${F} unit=${d.unit} />`}
        <b>${d.unit}</b> <span class="muted">${C(d.value)}</span></button></li>`)}</ol>
      ${c.result.strongest.length>1&&c.result.strongest[0].value===c.result.strongest.at(-1).value&&u`<p class="note">They have the same highest value; the order is that of the mean of their maps.</p>`}
    </section>`}
    <div class="split even">
      <section class="card">
        <h2>Where the unit is active</h2>
        ${t?c?u`
          <${oe} photo=${`api/jobs/${c.id}/files/photo.png`} map=${c.result.map} mapFile=${c.files["values.bin"]} view=${Qn}
            cursor=${f} onCursor=${p} label=${t.name}
            onPick=${({row:d,column:_})=>j({layer:g.name,unit:b,at:`${d},${_}`})}>
            ${v&&u`<${sn} box=${v} size=${[a.width,a.height]} />`}
          </${oe}>
          <p class="note">Largest activation ${C(c.result.value,4)}. Receptive field ${c.result.receptive_field}. Click a position, or
            ${" "}<button type="button" class="quiet" onClick=${()=>ts(c,J,U).then(d=>j({layer:g.name,unit:b,at:d}),o)}>the strongest one</button>,
            to see what drives the unit there.</p>
          <${en} place=${c.result.place} />`:u`<p class="muted" role="status">Running the model…</p>`:u`<p class="muted">Choose a photo first.</p>`}
      </section>
      <section class="card" aria-live="polite">
        <h2>What drives it ${y&&u`<span class="muted">at row ${y[0]}, column ${y[1]}</span>`}</h2>
        ${y?l?u`
          ${l.result.map?u`<${oe} photo=${l.files["photo.png"]} map=${l.result.map} mapFile=${l.files["values.bin"]}
                imageFile=${l.files["map.png"]} view=${Zn} cursor=${f} onCursor=${p} label=${t.name}>
                ${v&&u`<${sn} box=${v} size=${[a.width,a.height]} />`}</${oe}>`:l.result.pictures.map(d=>u`<img class="picture" src=${l.files[d.file]} alt=${d.caption} />`)}
          <p class="note">Guided gradient of ${l.result.targets[0]?.label} (activation ${C(l.result.targets[0]?.score,4)}).
            ${v?` The frame is its receptive field, ${v[2]-v[0]} × ${v[3]-v[1]} pixels. `:" Its receptive field is the whole image. "}
            ${l.result.notes.join(" ")}</p>
          <p class="actions"><${L} text=${l.result.python}>Copy Python</${L}><${L} text=${l.result.shell}>Copy shell</${L}></p>`:u`<p class="muted" role="status">Computing the gradient…</p>`:u`<p class="muted">Click a position of the map.</p>`}
      </section>
    </div>
    <${tn} site=${n} layer=${g.name} unit=${b} />
    ${r&&(c||M!==null)&&u`<${ns} key=${`${g.name}:${b}`} layer=${g.name} unit=${b} onError=${o} />`}
  </div>`}function es({slug:e,unit:t}){let[n]=Z(()=>W(`layer/${e}/layer`),[e]),s=n?.sheets[Math.floor(t/nn)];return u`<${se} tile=${s&&{...s,index:t%nn}} size=${64} />`}async function ts(e,t,n){let s=new Float32Array(await(await fetch(e.files["values.bin"])).arrayBuffer()),r=s.indexOf(Math.max(...s));return`${Math.floor(r/n)},${r%n}`}function sn({box:[e,t,n,s],size:[r,o]}){let a={left:`${100*e/r}%`,top:`${100*t/o}%`,width:`${100*(n-e)/r}%`,height:`${100*(s-t)/o}%`};return u`<span class="field-box" style=${a}></span>`}function ns({layer:e,unit:t,onError:n}){let[s,r]=k(null),[o,a]=k(!1);if(S(()=>{$e("notes").then($=>r($[e]?.[t]??{label:"",note:""}),n)},[]),!s)return null;let i=$=>{a(!1),r({...s,[$.target.name]:$.target.value})};return u`<form class="card note-form" onSubmit=${async $=>{$.preventDefault();try{await K("notes",{layer:e,unit:t,...s}),a(!0)}catch(l){n(l)}}}>
    <h2>Your note on unit ${t} of ${e}</h2>
    <label>Label <input type="text" name="label" maxlength="200" value=${s.label} onInput=${i} placeholder="for example: dog faces" /></label>
    <label>Note <textarea name="note" rows="2" maxlength="4000" value=${s.note} onInput=${i}></textarea></label>
    <p class="bar-of-controls"><button type="submit">Save</button><span class="small muted" role="status">${o?"Saved in the run folder.":""}</span></p>
  </form>`}var le=[["explain","Explain"],["cover","Cover"],["units","Units"],["neighbours","Neighbours"]],ss=1500,os=500,rn=["done","failed","cancelled"];function as(e){let[t,n]=k(null),[s,r]=k(null),o=t&&t.pages?.status==="done";return S(()=>{let a,i=async()=>{try{let c=await $e("state");n(c),c.pages&&!rn.includes(c.pages.status)&&(a=setTimeout(i,ss))}catch(c){e(c)}};return i(),()=>clearTimeout(a)},[]),S(()=>{t&&(window.convvizShared.chunks.delete("site"),Se().then(r,e))},[!!t,o]),[t,s]}function rs(){let e=Ge(),[t,n]=k(null),[s,r]=as(n),[o,a]=k(null),i=H(null),c=le.some(([h])=>h===e.mode)?e.mode:"explain",$=Math.min(Number(e.model)||0,(s?.models.length??1)-1),l=zt($,o,n);S(()=>{let h=/^\d+$/.test(e.row??"")?Number(e.row):null;h===null||i.current===h||(i.current=h,K("rows",{row:h}).then(w=>i.current===h&&a(w),n))},[e.row]);let m=h=>{i.current=h.row,a(h),j({row:h.row,box:null,at:null,target:null})},f=s&&r&&(!o||l||t);if(S(()=>f&&Ye(),[!!f]),!s)return t?u`<p class="card problem" role="alert">${t.message}.</p>`:null;let p={model:$,models:s.models,photo:o,site:r,state:e,job:l,prediction:l?.result.classes,onError:n};return u`<div class="workbench">
    <div class="head"><h1>Workbench</h1>
      ${s.models.length>1?u`<label class="field">Model <select name="model" value=${$} onChange=${h=>j({model:h.target.value})}>
            ${s.models.map((h,w)=>u`<option value=${w}>${h.name}</option>`)}</select></label>`:u`<span class="sub">${s.models[0].name}</span>`}
    </div>
    ${t&&u`<p class="card problem banner" role="alert">${t.message} <button type="button" class="quiet" onClick=${()=>n(null)}>Dismiss</button></p>`}
    <div class="bench">
      <div class="stack side">
        <${Wt} photo=${o} site=${r} pages=${s.pages&&s.pages.status!=="done"?s.pages:null} onOpen=${m} onError=${n} />
        ${o&&u`<section class="card" aria-label="Prediction"><h2>The model says</h2>
          ${l?u`<${Ne} classes=${l.result.classes} chosen=${e.target} caption="Most probable classes"
              onChoose=${h=>j({target:h===e.target?null:h})} />
            <p class="small muted">Click a class to make it the target.</p>`:u`<p class="muted" role="status">Running the model…</p>`}
        </section>`}
      </div>
      <div class="stack main">
        <div class="tabs" role="tablist" aria-label="Tools">
          ${le.map(([h,w])=>u`<button type="button" role="tab" id=${`tab-${h}`} aria-selected=${c===h} aria-controls="tool"
            tabindex=${c===h?0:-1} onClick=${()=>j({mode:h})}
            onKeyDown=${g=>is(g,h)}>${w}</button>`)}
        </div>
        <div id="tool" role="tabpanel" aria-labelledby=${`tab-${c}`}>
          <div hidden=${c!=="explain"}><${Xt} ...${p} /></div>
          ${c==="cover"&&u`<${qt} ...${p} />`}
          ${c==="units"&&u`<${on} ...${p} canNote=${s.notes} />`}
          ${c==="neighbours"&&u`<${Yt} ...${p} />`}
        </div>
      </div>
    </div>
  </div>`}function is(e,t){let n={ArrowRight:1,ArrowLeft:-1}[e.key];if(!n)return;e.preventDefault();let s=le.findIndex(([o])=>o===t),[r]=le[(s+n+le.length)%le.length];j({mode:r}),document.getElementById(`tab-${r}`).focus()}async function ls(){let e=await Se().catch(()=>null),t=location.pathname.match(/layer\/([^/]+)\.html$/)?.[1],n=e?.layers.find(o=>o.slug===t)?.name??"",s=document.createElement("a");s.className="to-workbench";let r=()=>{let{id:o,unit:a}=Me(),i=document.body.dataset.page,c=a!==void 0;s.hidden=!(c||i==="image"&&o!==void 0),s.textContent=c?`Try unit ${a} on a photo`:"Explain this image",s.href=`${Q}live.html#${new URLSearchParams(c?{mode:"units",layer:n,unit:a}:{row:o??""})}`};for(let o of["convviz:state","hashchange","popstate"])window.addEventListener(o,r);r(),document.body.append(s)}async function cs(){let[e,t,n]=["step","progress","count"].map(s=>document.getElementById(s));if(e)for(;;){let s=await $e("state").then(r=>r.pages,()=>null);if(s&&rn.includes(s.status))return location.reload();if(s){let{description:r,done:o,total:a}=s.progress;e.textContent=r||"starting",n.textContent=a?`${o} of ${a}. `:"",a?[t.max,t.value]=[a,o]:t.removeAttribute("value")}await new Promise(r=>setTimeout(r,os))}}var an=document.getElementById("workbench");an?We(u`<${rs} />`,an):document.body.dataset.page==="preparing"?cs():ls();})();
